# SPDX-License-Identifier: Apache-2.0
# Implements this build in Vivado and leaves one pair of .bit and .hwh, with its reports, in `out`:
#
#   cd BUILD/vivado
#   vivado -mode batch -source run.tcl                    with two jobs
#   vivado -mode batch -source run.tcl -tclargs 4         with four jobs
#
# Read: settings.tcl (every value), qnn_ip.v, ../rtl. Written: `work` (projects and IP, made anew each time), `reports`,
# and `out`, which appears complete or not at all, so never when timing was missed.
namespace eval qnn {
    variable here [file dirname [file normalize [info script]]]
}
foreach qnn::file {
    settings checks package_ip block_design addresses implement reports collect
} { source [file join $qnn::here $qnn::file.tcl] }

proc qnn::main {jobs} {
    variable here
    set work [file join $here work]
    set out [file join $here out]

    step "checking Vivado and its board files"
    require_release
    require_place $here
    set board_part [find_board_part]
    file delete -force $work $out [file join $here reports]
    file mkdir $work

    step "packaging the accelerator"
    set repository [package_ip $work]

    step "making the project"
    set project [create_board_project $work $board_part $repository]
    step "making the block design"
    make_block_design
    assign_addresses
    set clock_mhz [finish_block_design]

    step "synthesis"
    synthesize $jobs
    step "placing and routing"
    implement $jobs

    step "reports"
    set reports [file join $here reports]
    write_reports $reports
    require_routed
    set timing [require_timing $reports $clock_mhz]
    require_clean_drc

    step "bitstream"
    collect $out $work $project $reports [dict merge $timing [dict create board_part $board_part clock_mhz $clock_mhz]]
}

# Lines that a program following the run looks for.
proc qnn::step {text} {
    puts "qnn-hw: step $text"
    flush stdout
}

# End with a sentence of our own, in contrast to an error of the tool, which has printed its own lines by then.
proc qnn::refuse {sentence} {
    return -code error -errorcode QNN_HW $sentence
}

proc qnn::jobs {arguments} {
    if {[llength $arguments] == 0} { return 2 }
    set jobs [lindex $arguments 0]
    if {![string is integer -strict $jobs] || $jobs < 1} { refuse "-tclargs $jobs: give a number of jobs, 1 or more" }
    return $jobs
}

if {[catch {qnn::main [qnn::jobs [expr {[info exists ::argv] ? $::argv : {}}]]} qnn::message qnn::how]} {
    if {[dict get $qnn::how -errorcode] eq "QNN_HW"} {
        puts "ERROR: qnn-hw: $qnn::message"
    } else {
        puts "ERROR: run.tcl: $qnn::message"
    }
    exit 1
}
puts "qnn-hw: finished"
exit 0
