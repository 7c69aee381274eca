# SPDX-License-Identifier: Apache-2.0
# Synthesis, placing and routing, as the runs of the project: one process an IP, so that -jobs helps.

proc qnn::synthesize {jobs} {
    allow_large_arrays
    launch_runs synth_1 -jobs $jobs
    finish_run synth_1
    require_tables_read
}

# Synthesis takes no array of more than a million bits (Synth 8-4556) until told otherwise, and makes logic of none of
# more than 65 536 (Synth 8-3391); a table of weights may be larger. 64 Mbit are more than any of the boards has. The
# parameter is in no manual and may go one day: then only a build with such a table fails, with one of these messages.
proc qnn::allow_large_arrays {} {
    catch {
        set_param synth.elaboration.rodinMoreOptions \
            "rt::set_parameter var_size_limit 67108864; rt::set_parameter dissolveMemorySizeLimit 1048576"
    }
}

# A table that was not found gives a network that computes with zeros. The project makes an error of that message; should
# the process that synthesized an IP not know of it, its log does.
proc qnn::require_tables_read {} {
    foreach run [get_runs] {
        set missed [first_line [log_of $run] {^(?:CRITICAL WARNING|ERROR): (\[Synth 8-4445\].*)}]
        if {$missed ne ""} { refuse "$run: $missed" }
    }
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
        set error [first_line [log_of $run] {^ERROR:\s*(.*)}]
        if {$error ne ""} { refuse "$run: $error" }
    }
    refuse "$name: ended as '[get_property STATUS [get_runs $name]]'"
}

proc qnn::log_of {run} {
    return [file join [get_property DIRECTORY [get_runs $run]] runme.log]
}

# Return what the parentheses of an expression hold in the first line of a log that it fits; "" if there is none.
proc qnn::first_line {log expression} {
    if {![file isfile $log]} { return "" }
    set stream [open $log]
    set lines [split [read $stream] \n]
    close $stream
    foreach line $lines {
        if {[regexp $expression $line - text]} { return $text }
    }
    return ""
}
