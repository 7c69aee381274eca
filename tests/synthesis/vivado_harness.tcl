# SPDX-License-Identifier: Apache-2.0
# Runs boards/vivado's scripts in a plain Tcl interpreter: Vivado's commands are procedures that answer what the scripts
# rely on, and write files where Vivado would. The environment says what goes wrong:
#   STAND_IN_SCRIPT     the run.tcl to source
#   STAND_IN_RELEASE    what `version -short` answers (default 2024.1)
#   STAND_IN_REPORTS    folder with utilization.rpt, timing.rpt, route.rpt, drc.rpt to hand out
#   STAND_IN_WNS        setup slack in ns (default 0.512); STAND_IN_WHS: hold slack (default 0.021)
#   STAND_IN_NO_BOARD   set: no board files; STAND_IN_FAILS: commands that end with an error of the tool;
#   STAND_IN_RUN_FAILS  a run that ends with an error in its log; STAND_IN_UNROUTED, STAND_IN_DRC: set: found
#   STAND_IN_HZ         clock of the processor (default 100000000)
proc told {name otherwise} { expr {[info exists ::env(STAND_IN_$name)] ? $::env(STAND_IN_$name) : $otherwise} }

proc note {arguments} {
    if {[lindex $arguments 0] in [told FAILS ""]} {
        puts "INFO: \[BD 41-1662\] The design 'qnn_system.bd' is already validated."
        puts "ERROR: \[BD 41-237\] Bus Interface property of [lindex $arguments 0] does not match between /a(8) and /b(16)"
        puts "ERROR: \[Common 17-39\] '[lindex $arguments 0]' failed due to earlier errors."
        error "ERROR: \[Common 17-39\] '[lindex $arguments 0]' failed due to earlier errors."
    }
}

# Commands that only do something to Vivado's own state answer the name of what they made, or of their last argument.
proc unknown {args} {
    note $args
    return [lindex $args end]
}

proc option {arguments name} { lindex $arguments [expr {[lsearch -exact $arguments $name] + 1}] }
proc write {file text} {
    set stream [open $file w]
    puts $stream $text
    close $stream
}

proc version {args} {
    note [list version {*}$args]
    return [told RELEASE 2024.1]
}
proc get_board_parts {args} {
    note [list get_board_parts {*}$args]
    return [expr {[told NO_BOARD ""] eq "" ? [lindex $args end] : ""}]
}
proc get_ipdefs {args} {
    note [list get_ipdefs {*}$args]
    return [string map {:* :5.0} [lindex $args end]]
}
proc create_project {args} {
    note [list create_project {*}$args]
    set ::folder [lindex [lsearch -all -inline -not $args -*] 1]
    set ::project [lindex [lsearch -all -inline -not $args -*] 0]
    file mkdir $::folder
}
proc get_bd_addr_segs {name} {
    note [list get_bd_addr_segs $name]
    return [string map {/* /Reg} $name]
}
proc get_property {name object} {
    note [list get_property $name $object]
    switch -glob $name {
        PART_NAME { return $::settings::part }
        PROGRESS { return [expr {[told RUN_FAILS ""] eq $object ? "50%" : "100%"}] }
        STATUS { return "synth_design ERROR" }
        DIRECTORY { return [file join $::folder $::project.runs $object] }
        CONFIG.FREQ_HZ { return [told HZ 100000000] }
        SLACK { return [expr {$object eq "max" ? [told WNS 0.512] : [told WHS 0.021]}] }
        STARTPOINT_PIN { return qnn_system_i/qnn_0/inst/u_top/u_core/u_fc1/sum_reg\[3\]/C }
        ENDPOINT_PIN { return qnn_system_i/qnn_0/inst/u_top/u_core/u_fc1/total_reg\[9\]/D }
    }
    return ""
}
proc get_runs {args} {
    note [list get_runs {*}$args]
    return [expr {[llength $args] ? [lindex $args end] : {qnn_0_synth_1 synth_1 impl_1}}]
}
proc generate_target {args} {
    note [list generate_target {*}$args]
    set handoff [file join $::folder $::project.gen sources_1 bd qnn_system hw_handoff]
    file mkdir $handoff
    write [file join $handoff qnn_system.hwh] "<EDKSYSTEM/>"
}
proc launch_runs {name args} {
    note [list launch_runs $name {*}$args]
    set log [file join $::folder $::project.runs $name runme.log]
    file mkdir [file dirname $log]
    if {[told RUN_FAILS ""] eq $name} {
        write $log "INFO: \[Synth 8-7079\] Multithreading enabled\nERROR: \[Synth 8-439\] module 'qnn_fifo' not found"
    }
}
proc get_timing_paths {args} {
    note [list get_timing_paths {*}$args]
    return [option $args -delay_type]
}
proc hand_out {arguments} {
    set file [option $arguments -file]
    file copy -force [file join [told REPORTS ""] [file tail $file]] $file
}
proc report_utilization {args} { note [list report_utilization {*}$args]; hand_out $args }
proc report_timing_summary {args} { note [list report_timing_summary {*}$args]; hand_out $args }
proc report_drc {args} { note [list report_drc {*}$args]; hand_out $args }
proc report_route_status {args} {
    note [list report_route_status {*}$args]
    switch [lindex $args 1] {
        ROUTED_FULLY { return [expr {[told UNROUTED ""] eq ""}] }
        ERRORS_IN_ROUTES { return 0 }
    }
    hand_out $args
}
proc get_drc_violations {args} {
    note [list get_drc_violations {*}$args]
    return [expr {[told DRC ""] eq "" ? {} : {NSTD-1 UCIO-1}}]
}
proc write_bitstream {args} {
    note [list write_bitstream {*}$args]
    write [lindex $args end] "bitstream of $::settings::stem"
}
source [told SCRIPT ""]
