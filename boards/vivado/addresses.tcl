# SPDX-License-Identifier: Apache-2.0
# Addresses: every segment is given one, or is kept out of reach. The driver and the simulated board have the same map.

proc qnn::assign_addresses {} {
    foreach segment $settings::control {
        lassign $segment cell port base size
        assign $settings::processor/$settings::control_space [registers_of $cell $port] $base $size
    }
    foreach space {Data_MM2S Data_S2MM} {
        set space $settings::dma/$space
        set memory [get_bd_addr_segs $settings::processor/$settings::memory_segment]
        if {[llength $memory] != 1} { refuse "no memory $settings::memory_segment behind $settings::memory_port" }
        assign $space $memory $settings::memory_base $settings::memory_size
        hide_others $space
    }
}

# Return the one segment of an AXI4-Lite port.
proc qnn::registers_of {cell port} {
    set found [get_bd_addr_segs $cell/$port/*]
    if {[llength $found] != 1} { refuse "$cell/$port has [llength $found] address segments, expected one" }
    return $found
}

proc qnn::assign {space segment base size} {
    assign_bd_address -offset $base -range $size -target_address_space [get_bd_addr_spaces $space] $segment -force
}

# The memory port leads to more than the memory window: on-chip memory, flash, memory above 4 GiB.
proc qnn::hide_others {space} {
    set memory $settings::processor/$settings::memory_segment
    foreach segment [get_bd_addr_segs $settings::processor/[file dirname $settings::memory_segment]/*] {
        if {[string trimleft $segment /] eq $memory} { continue }
        # One that 32-bit addresses cannot reach cannot be excluded either; left alone it is a warning.
        catch { exclude_bd_addr_seg -quiet -target_address_space [get_bd_addr_spaces $space] $segment }
    }
}
