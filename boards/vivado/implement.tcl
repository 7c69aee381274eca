# SPDX-License-Identifier: Apache-2.0
# Synthesis, placing and routing, as the runs of the project: one process an IP, so that -jobs helps.

proc qnn::synthesize {jobs} {
    launch_runs synth_1 -jobs $jobs
    finish_run synth_1
}

proc qnn::implement {jobs} {
    # Once more after routing; it does nothing where timing is met already.
    set_property STEPS.POST_ROUTE_PHYS_OPT_DESIGN.IS_ENABLED true [get_runs impl_1]
    launch_runs impl_1 -jobs $jobs
    finish_run impl_1
    open_run impl_1
}

# Wait for a run; refuse with the first error of the run that failed: it, or one of an IP before it. The manual of 2022.2
# has wait_on_runs and uses wait_on_run beside it; either may be missing, and both end with an error where the run did.
proc qnn::finish_run {name} {
    if {[catch { wait_on_runs $name }]} { catch { wait_on_run $name } }
    if {[get_property PROGRESS [get_runs $name]] eq "100%"} { return }
    foreach run [get_runs] {
        set error [first_error [file join [get_property DIRECTORY [get_runs $run]] runme.log]]
        if {$error ne ""} { refuse "$run: $error" }
    }
    refuse "$name: ended as '[get_property STATUS [get_runs $name]]'"
}

# Return the first line of a log that tells an error, without that word; "" if there is none.
proc qnn::first_error {log} {
    if {![file isfile $log]} { return "" }
    set stream [open $log]
    set lines [split [read $stream] \n]
    close $stream
    foreach line $lines {
        if {[regexp {^ERROR:\s*(.*)} $line - text]} { return $text }
    }
    return ""
}
