# SPDX-License-Identifier: Apache-2.0
# Packages the accelerator as an IP for the block design.

# Make the IP in WORK/ip; return that folder.
proc qnn::package_ip {work} {
    set root [file join $work ip]
    set files [copy_sources [file join $root src]]
    create_project -force packaging [file join $work packaging] -part $settings::part
    set_property target_language Verilog [current_project]
    add_files -norecurse $files
    # The packager takes no SystemVerilog top, hence qnn_ip.v; what is below it may be SystemVerilog.
    set_property file_type SystemVerilog [get_files *.sv]
    # As memory files they travel with the IP and are given to each synthesis of it.
    set_property file_type {Memory File} [get_files *.mem]
    set_property top $settings::ip_top [current_fileset]
    update_compile_order -fileset sources_1

    ipx::package_project -root_dir $root -vendor $settings::ip_vendor -library $settings::ip_library \
        -taxonomy /UserIP -force
    set core [ipx::current_core]
    set_property name $settings::ip_name $core
    set_property version $settings::ip_version $core
    set_property display_name "qnn-hw: $settings::stem" $core
    set_property description "Accelerator $settings::stem, graph hash $settings::graph_hash" $core
    require_files $core
    require_interfaces $core
    describe_registers $core
    ipx::create_xgui_files $core
    ipx::update_checksums $core
    ipx::check_integrity $core
    ipx::save_core $core
    close_project
    return $root
}

# Copy RTL and tables into one folder; return the copies. The tables are read by $readmemh under a bare file name, which
# Vivado finds among the memory files of the IP; it keeps them apart from the RTL when it generates the IP.
proc qnn::copy_sources {folder} {
    variable here
    file mkdir $folder
    set copies {}
    foreach name [concat $settings::rtl_files $settings::memory_files] {
        set source [file join $here $name]
        if {![file isfile $source]} { refuse "$source: missing; copy the whole build, rtl included" }
        file copy -force $source $folder
        lappend copies [file join $folder [file tail $name]]
    }
    return $copies
}

# The packager leaves out what it does not see the top refer to (a warning, IP_Flow 19-3833): data files, and now and then
# a module. Add what is missing.
proc qnn::require_files {core} {
    set group [synthesized_files $core]
    foreach file [concat $settings::rtl_files $settings::memory_files] {
        set name [file join src [file tail $file]]
        if {[llength [ipx::get_files -quiet $name -of_objects $group]]} { continue }
        set added [ipx::add_file $name $group]
        # By itself it takes a file it was handed for one of no type.
        set_property type [dict get {.v verilogSource .sv systemVerilogSource .svh systemVerilogSource .mem mem} \
            [file extension $name]] $added
    }
}

# Return the group of the files that are synthesized; both names have been seen.
proc qnn::synthesized_files {core} {
    foreach name {xilinx_anylanguagesynthesis xilinx_verilogsynthesis} {
        set group [ipx::get_file_groups -quiet $name -of_objects $core]
        if {[llength $group]} { return $group }
    }
    refuse "packaging: Vivado made no group of files to synthesize, so RTL and tables have no place in the IP"
}

# The packager finds the interfaces by the attributes in qnn_ip.v.
proc qnn::require_interfaces {core} {
    foreach name {aclk aresetn s_axil s_axis m_axis} {
        if {[llength [ipx::get_bus_interfaces $name -of_objects $core]] != 1} {
            refuse "packaging: Vivado found no interface $name on $settings::ip_top"
        }
    }
}

# One block of registers, so that an address can be given to it. Vivado makes one by itself where it can.
proc qnn::describe_registers {core} {
    if {[llength [ipx::get_memory_maps s_axil -of_objects $core]] == 0} {
        ipx::add_memory_map s_axil $core
        set_property slave_memory_map_ref s_axil [ipx::get_bus_interfaces s_axil -of_objects $core]
        ipx::add_address_block reg0 [ipx::get_memory_maps s_axil -of_objects $core]
    }
    set block [ipx::get_address_blocks -of_objects [ipx::get_memory_maps s_axil -of_objects $core]]
    set_property range $settings::register_bytes $block
    set_property width 32 $block
    set_property usage register $block
}
