# SPDX-License-Identifier: Apache-2.0
# Writes the bitstream, and puts it with its handoff file, reports and facts into one folder.

# Args: folder to make; work and project folder; folder of the reports; facts to note, a dictionary.
proc qnn::collect {out work project reports facts} {
    set half [file join $work out]
    file mkdir $half
    write_bitstream -force [file join $half $settings::stem.bit]
    file copy [find_handoff $project] [file join $half $settings::stem.hwh]
    foreach file [glob -directory $reports *.rpt] { file copy $file $half }
    write_facts [file join $half result.txt] $facts
    # A folder is renamed at once: `out` is there complete, or not there.
    file rename $half $out
    puts "qnn-hw: $out holds $settings::stem.bit and $settings::stem.hwh"
}

# Return the hardware handoff file: beside the generated products, in older projects beside the sources.
proc qnn::find_handoff {project} {
    foreach place {gen srcs} {
        set file [file join $project $settings::project.$place sources_1 bd $settings::design hw_handoff \
            $settings::design.hwh]
        if {[file isfile $file]} { return $file }
    }
    refuse "no $settings::design.hwh in $project; was the block design generated?"
}

# One line a fact: its name, a space, its value.
proc qnn::write_facts {file facts} {
    set all [dict merge [dict create graph_hash $settings::graph_hash stem $settings::stem release [version -short] \
        part $settings::part clock_asked_mhz $settings::clock_mhz] $facts]
    set stream [open $file w]
    dict for {name value} $all { puts $stream "$name $value" }
    close $stream
}
