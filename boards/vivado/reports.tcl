# SPDX-License-Identifier: Apache-2.0
# Reports of the routed design, and what must hold before there may be a bitstream.

proc qnn::write_reports {folder} {
    file mkdir $folder
    report_utilization -hierarchical -file [file join $folder utilization.rpt]
    report_timing_summary -file [file join $folder timing.rpt]
    report_route_status -file [file join $folder route.rpt]
    report_drc -file [file join $folder drc.rpt]
}

proc qnn::require_routed {} {
    if {![report_route_status -boolean_check ROUTED_FULLY] || [report_route_status -boolean_check ERRORS_IN_ROUTES]} {
        refuse "the design is not fully routed; reports/route.rpt names the nets"
    }
}

# Return a dictionary of the worst slacks in ns and the slowest path.
proc qnn::require_timing {folder clock_mhz} {
    lassign [worst_path max] wns from to
    lassign [worst_path min] whs hold_from hold_to
    if {$wns < 0} {
        refuse "timing not met at [format %.3f $clock_mhz] MHz: WNS $wns ns, from $from to $to;\
            build again with a lower --clock-mhz, or a smaller --target-fps"
    }
    if {$whs < 0} { refuse "hold time not met: WHS $whs ns, from $hold_from to $hold_to" }
    # Pulse widths and everything else that has a constraint.
    set stream [open [file join $folder timing.rpt]]
    set text [read $stream]
    close $stream
    if {[string first "All user specified timing constraints are met." $text] < 0} {
        refuse "timing not met, though setup and hold are; reports/timing.rpt tells what is not"
    }
    return [dict create wns_ns $wns whs_ns $whs path_from $from path_to $to]
}

# Return slack, start and end of the worst path: `max` for setup, `min` for hold.
proc qnn::worst_path {type} {
    set path [lindex [get_timing_paths -quiet -delay_type $type -max_paths 1 -nworst 1] 0]
    if {$path eq ""} { refuse "no path has a timing constraint: the clock did not reach the design" }
    return [list [get_property SLACK $path] [get_property STARTPOINT_PIN $path] [get_property ENDPOINT_PIN $path]]
}

proc qnn::require_clean_drc {} {
    set found [get_drc_violations -quiet -filter {SEVERITY == "Error" || SEVERITY == "Critical Warning"}]
    if {[llength $found]} {
        refuse "[llength $found] severe design rule violations, the first is [lindex $found 0];\
            reports/drc.rpt tells all"
    }
}
