# SPDX-License-Identifier: Apache-2.0
# What is looked at before anything is made: the release of Vivado, its files of the board, and the place of the build.

# Refuse a release that nothing is known of.
proc qnn::require_release {} {
    set found [version -short]
    # An update or a patch adds to the release: 2022.1.1, 2023.2_AR000035.
    if {![regexp {^20\d\d\.\d} $found release]} { set release $found }
    if {[lsearch -exact $settings::releases $release] < 0} {
        refuse "Vivado $found: these scripts are for [lindex $settings::releases 0] to\
            [lindex $settings::releases end]; start one of these releases"
    }
}

# Refuse a folder whose name holds what UG895 lists as not supported; Vivado itself fails on it late, and obscurely.
proc qnn::require_place {folder} {
    if {[regexp {[]!#$%^&*()`;<>?,[{}'"|\t\n]} $folder character]} {
        refuse "$folder holds '$character'; Vivado takes no such character in the name of a folder; move the build"
    }
}

# Return the first board part of the settings that this Vivado has. Without the board's files there is no preset of the
# processor: no timing of its memory, no pins. The part alone would give a bitstream that cannot reach memory.
proc qnn::find_board_part {} {
    foreach name $settings::board_parts {
        set found [get_board_parts -quiet $name]
        if {[llength $found] == 0} { continue }
        set part [get_property PART_NAME [lindex $found 0]]
        if {![string equal -nocase $part $settings::part]} {
            refuse "$name: Vivado's files of this board are for the part $part, the build is for $settings::part"
        }
        return $name
    }
    refuse "the files of the board [join $settings::board_parts { or }] are not in this Vivado;\
        $settings::board_files_hint; then start again"
}
