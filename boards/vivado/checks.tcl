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

# Return the board part to work with. Without the board's files Vivado knows neither its crystal nor its memory: clocks
# and addresses in the handoff file would be guesses. (What boots the board sets up its processor; no bitstream does.)
proc qnn::find_board_part {} {
    set board [installed_board]
    if {$board eq ""} {
        name_board_store
        set board [installed_board]
    }
    if {$board eq ""} {
        refuse "the files of the board [join $settings::board_parts { or }] are not in this Vivado;\
            $settings::board_files_hint; then start again"
    }
    set part [get_property PART_NAME [get_board_parts $board]]
    if {![string equal -nocase $part $settings::part]} {
        refuse "$board: Vivado's files of this board are for the part $part, the build is for $settings::part"
    }
    return $board
}

# Return the first board part of the settings that is installed, else another version or vendor of the same board with
# the same part, "" if there is none: vendors rename themselves (avnet.com became avnet-tria), and versions go up.
proc qnn::installed_board {} {
    foreach name $settings::board_parts {
        if {[llength [get_board_parts -quiet $name]]} { return $name }
    }
    foreach name $settings::board_parts {
        foreach board [get_board_parts -quiet -latest_file_version "*:[lindex [split $name :] 1]:part0:*"] {
            if {[string equal -nocase [get_property PART_NAME $board] $settings::part]} { return $board }
        }
    }
    return ""
}

# What the Vivado Store installed is found by the graphical interface at once, in batch mode after its folder was named.
proc qnn::name_board_store {} {
    catch {
        set store [get_property LOCAL_ROOT_DIR [xhub::get_xstores xilinx_board_store]]
        set_param board.repoPaths [concat [get_param board.repoPaths] [list $store]]
    }
}
