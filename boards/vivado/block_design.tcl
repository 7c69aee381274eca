# SPDX-License-Identifier: Apache-2.0
# The block design: processor, AXI DMA, accelerator, two SmartConnects, reset, one clock.
#
#   processor control port -> control -> registers of DMA and accelerator
#   processor memory port  <- memory  <- DMA (reads: MM2S, writes: S2MM)
#   DMA MM2S -> accelerator -> DMA S2MM

# Make the project for the board; return its folder.
proc qnn::create_board_project {work board_part repository} {
    set folder [file join $work project]
    create_project -force $settings::project $folder -part $settings::part
    set_property board_part $board_part [current_project]
    connect_carrier
    set_property target_language Verilog [current_project]
    set_property ip_repo_paths [list $repository] [current_project]
    update_ip_catalog -rebuild
    # A table that is not found is a critical warning only, and the network computes with zeros.
    set_msg_config -id {Synth 8-4445} -new_severity ERROR
    return $folder
}

# Tell which carrier a module sits on, by the first name this Vivado knows. Nothing of ours leaves the chip through the
# carrier, and the memory is on the module: without one the design is the same.
proc qnn::connect_carrier {} {
    foreach connection $settings::board_connections {
        if {![catch {set_property board_connections $connection [current_project]}]} { return }
    }
    if {[llength $settings::board_connections]} {
        puts "WARNING: qnn-hw: none of the carriers $settings::board_connections is known here; going on without"
    }
}

proc qnn::make_block_design {} {
    create_bd_design $settings::design
    make_processor
    make_dma
    create_bd_cell -type ip -vlnv [newest $settings::ip_vlnv] $settings::accelerator
    make_infrastructure
    connect_streams
    connect_memory_mapped
    connect_clock
    connect_reset
}

# Return the newest IP of a name: the minor version of the processor differs between releases.
proc qnn::newest {name} {
    set found [lsort -dictionary [get_ipdefs $name]]
    if {[llength $found] == 0} { refuse "no IP $name in this Vivado; install the device family of $settings::part" }
    return [lindex $found end]
}

proc qnn::make_processor {} {
    set cell [create_bd_cell -type ip -vlnv [newest $settings::processor_vlnv] $settings::processor]
    apply_bd_automation -rule $settings::processor_rule -config $settings::processor_automation $cell
    # After the preset, which sets ports and clocks of its own.
    set_property -dict $settings::processor_config $cell
}

proc qnn::make_dma {} {
    set cell [create_bd_cell -type ip -vlnv [newest $settings::dma_vlnv] $settings::dma]
    set_property -dict $settings::dma_config $cell
}

# SmartConnect on both sides: AXI Interconnect is deprecated (PG059, December 2025), and in front of 32-bit AXI4-Lite
# registers alone SmartConnect takes its small form by itself (PG247).
proc qnn::make_infrastructure {} {
    set control [create_bd_cell -type ip -vlnv [newest xilinx.com:ip:smartconnect:*] control_smartconnect]
    set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI [llength $settings::control] CONFIG.NUM_CLKS 1] $control
    set memory [create_bd_cell -type ip -vlnv [newest xilinx.com:ip:smartconnect:*] memory_smartconnect]
    set_property -dict [list CONFIG.NUM_SI 2 CONFIG.NUM_MI 1 CONFIG.NUM_CLKS 1] $memory
    create_bd_cell -type ip -vlnv [newest xilinx.com:ip:proc_sys_reset:*] reset_0
}

proc qnn::connect_streams {} {
    join_interfaces $settings::dma/M_AXIS_MM2S $settings::accelerator/s_axis
    join_interfaces $settings::accelerator/m_axis $settings::dma/S_AXIS_S2MM
}

proc qnn::connect_memory_mapped {} {
    join_interfaces $settings::processor/$settings::control_port control_smartconnect/S00_AXI
    set i 0
    foreach segment $settings::control {
        lassign $segment cell port
        join_interfaces [format control_smartconnect/M%02d_AXI $i] $cell/$port
        incr i
    }
    join_interfaces $settings::dma/M_AXI_MM2S memory_smartconnect/S00_AXI
    join_interfaces $settings::dma/M_AXI_S2MM memory_smartconnect/S01_AXI
    join_interfaces memory_smartconnect/M00_AXI $settings::processor/$settings::memory_port
}

proc qnn::join_interfaces {from to} {
    connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}

proc qnn::connect_clock {} {
    foreach pin [list \
        $settings::processor/$settings::control_clock_pin \
        $settings::processor/$settings::memory_clock_pin \
        $settings::dma/s_axi_lite_aclk \
        $settings::dma/m_axi_mm2s_aclk \
        $settings::dma/m_axi_s2mm_aclk \
        $settings::accelerator/aclk \
        control_smartconnect/aclk \
        memory_smartconnect/aclk \
        reset_0/slowest_sync_clk \
    ] { connect_bd_net [get_bd_pins $settings::processor/$settings::clock_pin] [get_bd_pins $pin] }
}

proc qnn::connect_reset {} {
    connect_bd_net [get_bd_pins $settings::processor/$settings::reset_pin] [get_bd_pins reset_0/ext_reset_in]
    foreach pin [list \
        $settings::dma/axi_resetn \
        $settings::accelerator/aresetn \
        control_smartconnect/aresetn \
        memory_smartconnect/aresetn \
    ] { connect_bd_net [get_bd_pins reset_0/peripheral_aresetn] [get_bd_pins $pin] }
}

# Check the design, make its output products and the Verilog top around it; return the clock in MHz.
proc qnn::finish_block_design {} {
    validate_bd_design
    save_bd_design
    set clock_mhz [require_clock]
    set file [get_files $settings::design.bd]
    generate_target all $file
    make_wrapper -files $file -top -import
    set_property top ${settings::design}_wrapper [current_fileset]
    update_compile_order -fileset sources_1
    return $clock_mhz
}

# Return the clock that the processor makes of what was asked for, in MHz; timing is checked at this one.
proc qnn::require_clock {} {
    set hz [get_property CONFIG.FREQ_HZ [get_bd_pins $settings::processor/$settings::clock_pin]]
    set made [expr {$hz / 1e6}]
    if {abs($made - $settings::clock_mhz) > $settings::clock_tolerance * $settings::clock_mhz} {
        refuse "the processor makes a clock of [format %.3f $made] MHz, asked for $settings::clock_mhz MHz;\
            build again with a --clock-mhz it can make"
    }
    return $made
}
