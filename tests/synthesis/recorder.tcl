# SPDX-License-Identifier: Apache-2.0
# What stands in for Vivado when its scripts are run in a plain Tcl interpreter: every command writes down how it was
# called and does just enough for the script to go on. It models the tool and knows nothing of the designs: a command,
# an option, an IP, a parameter or an object Vivado does not have is an error here as it is there; what is connected,
# addressed and configured is written down without judgement (tcl_recorder.py reads it, test_vivado_tcl.py judges it).
#
# Run as `tclsh recorder.tcl SESSION`; SESSION is a file of lines `key<TAB>value...`, see `::vivado::read_session`.
#
# Sources: UG835 (Tcl commands), UG994 (IP Integrator), UG1118 (packager), PG021 (AXI DMA), PG082 and PG201 (processors),
# PG059, PG247 (interconnects), PG164 (resets). Where the presets of a board decide (which master ports of the processor
# are there), the stand-in takes the worse case: a port is there until the script switches it off.

namespace eval ::vivado {
    # Objects are printed by name, as in Vivado; this invisible sign in front tells them from plain text.
    variable MARK \u2063
    variable session [dict create version 2024.1 left_out {} synthesis_group xilinx_anylanguagesynthesis wns 0.1 whs 0.05 argv {} parts {} boards {} stored {} mutations {} failing {} complaints {}]
    variable records {}
    variable options [dict create]
    variable arity [dict create]
    variable project {}
    variable repositories {}   ;# folders of ip_repo_paths when the catalogue was last updated
    variable cores [dict create]  ;# vlnv -> {top files folder}, packaged by ipx and saved
    variable core [dict create]   ;# the core being packaged
    variable files [dict create]  ;# fileset -> list of paths
    variable properties [dict create]  ;# object -> {NAME value ...}
    variable cells [dict create]  ;# /name -> {vlnv ... top ... files ...}
    variable config [dict create] ;# /name -> {parameter value ...}
    variable externals [dict create]
    variable design {}
    variable dirty 0           ;# the block design was changed since it was last saved
    variable generated 0
    variable opened {}
    variable params [dict create]
    variable made {}           ;# files the tool wrote
    variable n_calls -1
}

# --- what is written down -------------------------------------------------------------------------------------------

proc ::vivado::record {args} {
    variable records
    lappend records $args
}

proc ::vivado::json {text} {
    set escaped [string map [list \\ \\\\ \" \\\" \n \\n \r \\r \t \\t] $text]
    return "\"$escaped\""
}

proc ::vivado::write_record {} {
    variable session
    variable records
    variable cells
    variable config
    variable properties
    variable files
    variable externals
    variable project
    variable design
    variable made
    set lines $records
    lappend lines [list project $project] [list design $design]
    dict for {cell facts} $cells {
        lappend lines [list cell $cell [dict get $facts vlnv]]
        dict for {key value} [dict get $config $cell] { lappend lines [list config $cell $key $value] }
        foreach port [ports $cell] { lappend lines [linsert $port 0 port $cell] }
    }
    dict for {port facts} $externals { lappend lines [list external $port {*}$facts] }
    dict for {object values} $properties {
        dict for {key value} $values { lappend lines [list property $object $key $value] }
    }
    dict for {fileset paths} $files { foreach path $paths { lappend lines [list file $fileset $path] } }
    foreach path $made { lappend lines [list made $path] }
    set channel [open [dict get $session record] w]
    fconfigure $channel -encoding utf-8
    foreach line $lines {
        set words {}
        foreach word $line { lappend words [json $word] }
        puts $channel "\[[join $words ", "]\]"
    }
    close $channel
}

# --- commands: options, objects, mutations --------------------------------------------------------------------------

# define NAME {-flag -option=} {least most} BODY: BODY sees `opt` (dictionary) and `pos` (list without options).
proc ::vivado::define {name spec counts body} {
    variable options
    variable arity
    dict set options $name [concat $spec {-quiet -verbose}]
    dict set arity $name $counts
    set impl [string map {:: _} $name]
    proc ::vivado::do_$impl {opt pos} $body
    if {[string match *::* $name]} { namespace eval ::[namespace qualifiers $name] {} }
    proc ::$name args "::vivado::dispatch [list $name] \$args"
}

proc ::vivado::plain {value} {
    variable MARK
    return [string map [list $MARK {}] $value]
}

# Cells, projects, filesets and runs carry the sign: what set_property and get_property take as objects alone. The names
# of the others are often used as texts by scripts.
proc ::vivado::object {name} {
    variable MARK
    if {[needs_object $name]} { return $MARK$name }
    return $name
}

proc ::vivado::needs_object {name} {
    variable cells
    variable files
    variable project
    return [expr {$name ne "" && ([dict exists $cells $name] || [dict exists $files $name] || $name eq $project
        || $name in {synth_1 impl_1})}]
}

proc ::vivado::objects {names} { return [lmap name $names { object $name }] }

proc ::vivado::dispatch {name arguments} {
    set asked [list $name {*}[plain $arguments]]
    set calls [mutate $asked]
    # What a mutation wrote has lost the signs of its objects.
    if {$name in {set_property get_property} && $calls eq [list $asked]} { first_class $arguments }
    set result {}
    foreach call $calls {
        record call {*}$call
        set result [run [lindex $call 0] [lrange $call 1 end]]
    }
    return $result
}

proc ::vivado::first_class {arguments} {
    variable MARK
    foreach one [lindex $arguments end] {
        if {[string first $MARK $one] != 0 && [needs_object $one]} {
            error "ERROR: \[Common 17-58\] '$one' is not a valid first class Tcl object."
        }
    }
}

proc ::vivado::run {name arguments} {
    variable options
    variable arity
    set spec [dict get $options $name]
    set opt [dict create]
    set pos {}
    for {set i 0} {$i < [llength $arguments]} {incr i} {
        set word [lindex $arguments $i]
        if {[regexp {^-[a-z]} $word]} {
            if {$word in $spec} {
                dict set opt $word 1
            } elseif {"$word=" in $spec} {
                incr i
                if {$i >= [llength $arguments]} { error "ERROR: \[Common 17-157\] $name: $word needs a value" }
                dict set opt $word [lindex $arguments $i]
            } else {
                error "ERROR: \[Common 17-170\] Unknown option '$word', please type '$name -help' for usage info."
            }
        } else {
            lappend pos $word
        }
    }
    lassign [dict get $arity $name] least most
    if {[llength $pos] < $least} { error "ERROR: \[Common 17-163\] Missing value for option of '$name'." }
    if {[llength $pos] > $most} { error "ERROR: \[Common 17-165\] Too many positional options for '$name': $pos" }
    set impl ::vivado::do_[string map {:: _} $name]
    if {[dict exists $opt -quiet]} {
        if {[catch {$impl $opt $pos} result]} { return {} }
        return $result
    }
    return [$impl $opt $pos]
}

# Mutations of the session change calls on their way in: {drop RE}, {twice RE}, {replace RE TEXT}, {nth N}. RE is matched
# against the call as text, N (from 0) counts all calls; lookups are calls as well. `nth` leaves that one call out.
proc ::vivado::mutate {call} {
    variable session
    variable n_calls
    incr n_calls
    set calls [list $call]
    foreach mutation [dict get $session mutations] {
        lassign $mutation kind pattern text
        if {$kind eq "nth" ? $pattern != $n_calls : ![regexp -- $pattern $call]} { continue }
        record mutated $pattern {*}$call
        switch -- $kind {
            drop - nth { set calls {} }
            twice { set calls [list $call $call] }
            replace { set calls [list [regsub -- $pattern $call $text]] }
            default { error "no mutation '$kind'" }
        }
    }
    return $calls
}

proc ::vivado::option {opt name default} {
    if {[dict exists $opt $name]} { return [dict get $opt $name] }
    return $default
}

proc ::vivado::need_project {} {
    variable project
    if {$project eq ""} { error "ERROR: \[Common 17-53\] User Exception: No open project." }
}

proc ::vivado::need_design {} {
    variable design
    need_project
    if {$design eq ""} { error "ERROR: \[BD 5-4\] There is no current block design." }
}

proc ::vivado::change {} {
    variable dirty
    variable generated
    set dirty 1
    set generated 0
    record changed
}

proc ::vivado::property {object name {default {}}} {
    variable properties
    if {[dict exists $properties $object $name]} { return [dict get $properties $object $name] }
    return $default
}

proc ::vivado::set_value {object name value} {
    variable properties
    dict set properties $object $name $value
}

proc ::vivado::make_file {path text} {
    variable made
    file mkdir [file dirname $path]
    set channel [open $path w]
    puts $channel $text
    close $channel
    if {$path ni $made} { lappend made $path }
    return $path
}

# Bytes: 4096, 0x1000, 4K, 16M, 2G.
proc ::vivado::bytes {text} {
    if {[regexp {^(\d+)([KMGT])$} $text -> number unit]} {
        return [expr {$number << [dict get {K 10 M 20 G 30 T 40} $unit]}]
    }
    if {![string is entier -strict $text]} { error "ERROR: \[BD 41-1051\] '$text' is not a valid address or range." }
    return [expr {$text + 0}]
}

# NAME == x && VLNV =~ glob: the -filter expressions of get_* commands. `values` is a dictionary of one object.
proc ::vivado::passes {filter values} {
    foreach alternative [split [string map {|| \x01} $filter] \x01] {
        set all 1
        foreach term [split [string map {&& \x01} $alternative] \x01] {
            if {![regexp {^[\s(]*([\w.]+)\s*(==|!=|=~|!~)\s*"?\{?([^"\}]*?)\}?"?[\s)]*$} $term -> key how wanted]} {
                error "ERROR: \[Common 17-55\] the filter '$filter' cannot be read"
            }
            set key [string toupper $key]
            if {![dict exists $values $key]} { error "ERROR: \[Common 17-56\] no property '$key' in a filter" }
            set value [dict get $values $key]
            switch -- $how {
                == { set ok [expr {$value eq $wanted}] }
                != { set ok [expr {$value ne $wanted}] }
                =~ { set ok [string match $wanted $value] }
                !~ { set ok [expr {![string match $wanted $value]}] }
            }
            if {!$ok} { set all 0 }
        }
        if {$all} { return 1 }
    }
    return 0
}

proc ::vivado::warn {message} {
    record warning $message
    puts "WARNING: $message"
}

proc ::vivado::critical {message} {
    record critical $message
    puts "CRITICAL WARNING: $message"
}

# --- Verilog: the ports of a module, and the interfaces they form ---------------------------------------------------

proc ::vivado::read_text {path} {
    set channel [open $path]
    fconfigure $channel -encoding utf-8
    set text [read $channel]
    close $channel
    regsub -all {/\*.*?\*/} $text { } text
    regsub -all -line {//.*$} $text {} text
    return $text
}

proc ::vivado::modules_in {path} {
    variable modules
    if {![regexp {\.(v|sv)$} $path]} { return {} }
    set key [list $path [file size $path]]
    if {![info exists modules($key)]} {
        set modules($key) {}
        foreach {- name} [regexp -all -inline -line {^\s*module\s+(?:automatic\s+)?(\w+)} [read_text $path]] {
            lappend modules($key) $name
        }
    }
    return $modules($key)
}

proc ::vivado::file_of_module {name paths} {
    foreach path $paths { if {[file exists $path] && $name in [modules_in $path]} { return $path } }
    return {}
}

# Ports of a module as {name direction bits attributes}.
proc ::vivado::module_ports {name path} {
    set text [read_text $path]
    if {![regexp "\\mmodule\\s+${name}\\M(.*?)\\mendmodule\\M" $text -> body]} { return {} }
    set values [dict create]
    foreach {- key value} [regexp -all -inline {parameter\s+(?:\w+\s+)*?(\w+)\s*=\s*(\d+)} $body] {
        dict set values $key $value
    }
    set found {}
    set shape {((?:\(\*[^*]*\*\)\s*)*)\m(input|output|inout)\M\s*(?:wire|reg|logic)?\s*(?:signed)?\s*(\[[^\]]*\])?\s*(\w+)}
    foreach {- attributes direction range port} [regexp -all -inline $shape $body] {
        set bits 1
        if {[regexp {\[(.*):(.*)\]} $range -> high low]} {
            set bits [expr "[string map $values $high] - ([string map $values $low]) + 1"]
        }
        lappend found [list $port $direction $bits $attributes]
    }
    return $found
}

# Records of a user module, in the form of `ports`: {intf NAME MODE KIND BITS CLOCK}, {pin NAME DIRECTION TYPE POLARITY},
# {seg NAME INTERFACE BYTES}. `associated` maps interface -> clock where the script said so.
proc ::vivado::module_interfaces {name path associated} {
    variable interfaces
    set key [list $name $path $associated]
    if {![info exists interfaces($key)]} { set interfaces($key) [find_interfaces $name $path $associated] }
    return $interfaces($key)
}

proc ::vivado::find_interfaces {name path associated} {
    set signals [dict create]  ;# interface -> {signal {port direction bits}}
    set kinds [dict create]
    set pins {}
    set busif [dict create]
    set polarity [dict create]
    foreach entry [module_ports $name $path] {
        lassign $entry port direction bits attributes
        set vlnv {}
        set interface {}
        if {[regexp {X_INTERFACE_INFO\s*=\s*"([^"\s]+)\s+(\S+)\s+(\S+)"} $attributes -> vlnv interface signal]} {
            set signal [string toupper $signal]
        } elseif {[regexp -nocase {^(.*)_(tdata|tvalid|tready|tlast|tkeep|tstrb|tuser|tid|tdest)$} $port -> interface signal]} {
            set vlnv axis
            set signal [string toupper $signal]
        } elseif {[regexp -nocase {^(.*)_((?:aw|ar)(?:addr|valid|ready|prot|len|size|burst|cache|lock|qos|region|id)|w(?:data|strb|valid|ready|last)|b(?:resp|valid|ready|id)|r(?:data|resp|valid|ready|last|id))$} $port -> interface signal]} {
            set vlnv aximm
            set signal [string toupper $signal]
        } elseif {[regexp -nocase {clk$|clock$} $port]} {
            set vlnv clock
        } elseif {[regexp -nocase {(resetn|rst_?n|reset|rst)$} $port]} {
            set vlnv reset
        }
        if {[string match *:interface:axis* $vlnv]} { set vlnv axis }
        if {[string match *:interface:aximm* $vlnv]} { set vlnv aximm }
        if {[string match *:signal:clock* $vlnv]} { set vlnv clock }
        if {[string match *:signal:reset* $vlnv]} { set vlnv reset }
        set side [dict get {input I output O inout IO} $direction]
        switch -- $vlnv {
            axis - aximm {
                dict set kinds $interface $vlnv
                dict set signals $interface $signal [list $port $direction $bits]
            }
            clock {
                lappend pins [list pin $port $side clk {}]
                if {[regexp {ASSOCIATED_BUSIF\s+([\w:]+)} $attributes -> list]} {
                    foreach one [split $list :] { dict set busif $one $port }
                }
            }
            reset {
                set active ACTIVE_LOW
                if {![regexp -nocase {n$} $port]} { set active ACTIVE_HIGH }
                regexp {POLARITY\s+(ACTIVE_\w+)} $attributes -> active
                lappend pins [list pin $port $side rst $active]
            }
            default { lappend pins [list pin $port $side other {}] }
        }
    }
    set busif [dict merge $busif $associated]
    set found {}
    dict for {interface facts} $signals {
        set kind [dict get $kinds $interface]
        set lead [expr {$kind eq "axis" ? "TVALID" : "ARVALID"}]
        set data [expr {$kind eq "axis" ? "TDATA" : "RDATA"}]
        if {![dict exists $facts $lead] || ![dict exists $facts $data]} { continue }
        set mode [expr {[lindex [dict get $facts $lead] 1] eq "input" ? "Slave" : "Master"}]
        # By itself Vivado guesses a clock for some interfaces and not for others: here none is guessed.
        set clock {}
        if {[dict exists $busif $interface]} { set clock [dict get $busif $interface] }
        lappend found [list intf $interface $mode $kind [lindex [dict get $facts $data] 2] $clock]
        if {$kind eq "aximm" && $mode eq "Slave"} {
            set address [lindex [dict get $facts ARADDR] 2]
            lappend found [list seg reg0 $interface [expr {max(1 << $address, 4096)}]]
        }
    }
    return [concat $found $pins]
}

# --- the catalogue: IP, their parameters and ports ------------------------------------------------------------------

proc ::vivado::release {} {
    variable session
    return [dict get $session version]
}

# vlnv -> families it is for (empty: all), in the release of the session.
proc ::vivado::catalogue {} {
    variable cores
    variable repositories
    set ps [expr {[release] < 2023.1 ? "3.4" : "3.5"}]
    set found [dict create \
        xilinx.com:ip:axi_dma:7.1 {} \
        xilinx.com:ip:smartconnect:1.0 {} \
        xilinx.com:ip:axi_interconnect:2.1 {} \
        xilinx.com:ip:proc_sys_reset:5.0 {} \
        xilinx.com:ip:clk_wiz:6.0 {} \
        xilinx.com:ip:processing_system7:5.5 zynq \
        xilinx.com:ip:zynq_ultra_ps_e:$ps zynquplus]
    dict for {vlnv facts} $cores {
        foreach folder $repositories {
            if {[within [dict get $facts folder] $folder]} { dict set found $vlnv {} }
        }
    }
    return $found
}

proc ::vivado::within {path folder} {
    set path [file normalize $path]
    set folder [file normalize $folder]
    return [expr {$path eq $folder || [string first $folder/ $path] == 0}]
}

proc ::vivado::family {} {
    set part [string tolower [property [current] PART]]
    if {[string match xc7z* $part]} { return zynq }
    if {[string match xczu* $part] || [string match xck* $part]} { return zynquplus }
    return other
}

proc ::vivado::current {} {
    variable project
    return $project
}

# Parameters of an IP as {name default}; a name may be a glob pattern, which has no default.
proc ::vivado::parameters {vlnv} {
    switch -glob -- $vlnv {
        xilinx.com:ip:axi_dma:* {
            # The stream into the DMA is as wide as what is connected, unless it is set.
            return {
                c_include_sg 1 c_sg_include_stscntrl_strm 1 c_sg_length_width 14 c_sg_use_stsapp_length 0
                c_include_mm2s 1 c_include_s2mm 1 c_include_mm2s_dre 0 c_include_s2mm_dre 0
                c_include_mm2s_sf 1 c_include_s2mm_sf 1
                c_m_axi_mm2s_data_width 32 c_m_axis_mm2s_tdata_width 32 c_mm2s_burst_size 16
                c_m_axi_s2mm_data_width 32 c_s_axis_s2mm_tdata_width {} c_s2mm_burst_size 16
                c_addr_width 32 c_micro_dma 0 c_enable_multi_channel 0 c_num_mm2s_channels 1 c_num_s2mm_channels 1
                c_prmry_is_aclk_async 0 c_dlytmr_resolution 125 c_single_interface 0 c_increase_throughput 0
            }
        }
        xilinx.com:ip:smartconnect:* {
            return {NUM_SI 2 NUM_MI 1 NUM_CLKS 1 HAS_ARESETN 1 ADVANCED_PROPERTIES {}}
        }
        xilinx.com:ip:axi_interconnect:* {
            return {NUM_SI 1 NUM_MI 2 STRATEGY 0 ENABLE_ADVANCED_OPTIONS 0 XBAR_DATA_WIDTH 32 S??_HAS_REGSLICE {}
                M??_HAS_REGSLICE {} S??_HAS_DATA_FIFO {} M??_HAS_DATA_FIFO {}}
        }
        xilinx.com:ip:proc_sys_reset:* {
            return {C_AUX_RESET_HIGH 1 C_AUX_RST_WIDTH 4 C_EXT_RESET_HIGH 1 C_EXT_RST_WIDTH 4 C_NUM_BUS_RST 1
                C_NUM_INTERCONNECT_ARESETN 1 C_NUM_PERP_ARESETN 1 C_NUM_PERP_RST 1
                RESET_BOARD_INTERFACE Custom USE_BOARD_FLOW false}
        }
        xilinx.com:ip:processing_system7:* {
            return {PCW_USE_M_AXI_GP0 1 PCW_USE_M_AXI_GP1 0 PCW_USE_S_AXI_GP0 0 PCW_USE_S_AXI_GP1 0 PCW_USE_S_AXI_ACP 0
                PCW_USE_S_AXI_HP0 0 PCW_USE_S_AXI_HP1 0 PCW_USE_S_AXI_HP2 0 PCW_USE_S_AXI_HP3 0
                PCW_S_AXI_HP0_DATA_WIDTH 64 PCW_S_AXI_HP1_DATA_WIDTH 64 PCW_S_AXI_HP2_DATA_WIDTH 64
                PCW_S_AXI_HP3_DATA_WIDTH 64 PCW_USE_FABRIC_INTERRUPT 0 PCW_IRQ_F2P_INTR 0
                PCW_FPGA0_PERIPHERAL_FREQMHZ 50 PCW_FPGA1_PERIPHERAL_FREQMHZ 50 PCW_FPGA2_PERIPHERAL_FREQMHZ 50
                PCW_FPGA3_PERIPHERAL_FREQMHZ 50 PCW_EN_CLK0_PORT 1 PCW_EN_CLK1_PORT 0 PCW_EN_CLK2_PORT 0
                PCW_EN_CLK3_PORT 0 PCW_EN_RST0_PORT 1 PCW_EN_RST1_PORT 0 PCW_FPGA_FCLK0_ENABLE 1
                PCW_FPGA_FCLK1_ENABLE 0 PCW_FPGA_FCLK2_ENABLE 0 PCW_FPGA_FCLK3_ENABLE 0
                PCW_FCLK0_PERIPHERAL_CLKSRC {IO PLL} PCW_CRYSTAL_PERIPHERAL_FREQMHZ 33.333333
                PCW_APU_PERIPHERAL_FREQMHZ 666.666666 PCW_PRESET_BANK0_VOLTAGE {LVCMOS 3.3V}
                PCW_PRESET_BANK1_VOLTAGE {LVCMOS 3.3V} PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ {} preset None
                PCW_UIPARAM_DDR_* {} PCW_MIO_* {} PCW_QSPI_* {} PCW_SD0_* {} PCW_UART0_* {} PCW_UART1_* {}
                PCW_ENET0_* {} PCW_USB0_* {} PCW_GPIO_* {} PCW_EN_* {} PCW_DDR_* {} PCW_SINGLE_QSPI_* {}
                PCW_ENET_* {} PCW_USB_* {} PCW_SD1_* {} PCW_I2C_* {} PCW_I2C0_* {} PCW_TTC0_* {}}
        }
        xilinx.com:ip:zynq_ultra_ps_e:* {
            # The master ports are on in the presets of some boards, so they are here until they are switched off.
            return {PSU__USE__M_AXI_GP0 1 PSU__USE__M_AXI_GP1 1 PSU__USE__M_AXI_GP2 1
                PSU__USE__S_AXI_GP0 0 PSU__USE__S_AXI_GP1 0 PSU__USE__S_AXI_GP2 0 PSU__USE__S_AXI_GP3 0
                PSU__USE__S_AXI_GP4 0 PSU__USE__S_AXI_GP5 0 PSU__USE__S_AXI_GP6 0 PSU__USE__S_AXI_ACP 0
                PSU__USE__S_AXI_ACE 0 PSU__USE__IRQ0 1 PSU__USE__IRQ1 0
                PSU__MAXIGP0__DATA_WIDTH 128 PSU__MAXIGP1__DATA_WIDTH 128 PSU__MAXIGP2__DATA_WIDTH 32
                PSU__SAXIGP0__DATA_WIDTH 128 PSU__SAXIGP1__DATA_WIDTH 128 PSU__SAXIGP2__DATA_WIDTH 128
                PSU__SAXIGP3__DATA_WIDTH 128 PSU__SAXIGP4__DATA_WIDTH 128 PSU__SAXIGP5__DATA_WIDTH 128
                PSU__SAXIGP6__DATA_WIDTH 128 PSU__FPGA_PL0_ENABLE 1 PSU__FPGA_PL1_ENABLE 0 PSU__FPGA_PL2_ENABLE 0
                PSU__FPGA_PL3_ENABLE 0 PSU__NUM_FABRIC_RESETS 1 PSU__USE__FABRIC__RST 1
                PSU__OVERRIDE__BASIC_CLOCK 0 PSU__PSS_REF_CLK__FREQMHZ 33.333
                PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ 100 PSU__CRL_APB__PL1_REF_CTRL__FREQMHZ 100
                PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ {}
                PSU__CRL_APB__PL0_REF_CTRL__DIVISOR0 15 PSU__CRL_APB__PL0_REF_CTRL__DIVISOR1 1
                PSU__HIGH_ADDRESS__ENABLE 0 PSU__PRESET_APPLIED 0
                PSU__DDRC__* {} PSU_DDR_* {} PSU_MIO_* {} PSU_BANK_* {} PSU__UART0__* {} PSU__UART1__* {}
                PSU__SD0__* {} PSU__SD1__* {} PSU__QSPI__* {} PSU__ENET*__* {} PSU__USB*__* {} PSU__I2C*__* {}
                PSU__GPIO*__* {} PSU__TTC*__* {} PSU__SWDT*__* {} PSU__CRF_APB__* {} PSU__CRL_APB__* {}}
        }
    }
    return {}
}

proc ::vivado::value_of {cell key} {
    variable config
    variable cells
    if {[dict exists $config $cell $key]} { return [dict get $config $cell $key] }
    foreach {name default} [parameters [dict get $cells $cell vlnv]] { if {$name eq $key} { return $default } }
    return {}
}

proc ::vivado::known_parameter {vlnv key} {
    foreach {name default} [parameters $vlnv] { if {[string match $name $key]} { return 1 } }
    return 0
}

# Clock the processor really makes: its PLL divided by whole numbers, at most what was asked for.
proc ::vivado::made_clock_mhz {cell} {
    variable cells
    switch -glob -- [dict get $cells $cell vlnv] {
        *:processing_system7:* {
            set pll 1000.0
            set asked [value_of $cell PCW_FPGA0_PERIPHERAL_FREQMHZ]
        }
        *:zynq_ultra_ps_e:* {
            set pll 1499.985
            set asked [value_of $cell PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ]
        }
        default { return {} }
    }
    if {![string is double -strict $asked] || $asked <= 0} { return 0 }
    return [format %.6f [expr {$pll / ceil($pll / $asked - 0.001)}]]
}

# Ports of a cell in its present configuration:
#   intf NAME MODE KIND BITS CLOCK     pin NAME DIRECTION TYPE POLARITY     seg NAME INTERFACE BYTES [BASE]
#   space NAME INTERFACE
proc ::vivado::ports {cell} {
    variable config
    variable known
    set now [dict get $config $cell]
    if {![info exists known($cell)] || [lindex $known($cell) 0] ne $now} { set known($cell) [list $now [find_ports $cell]] }
    return [lindex $known($cell) 1]
}

proc ::vivado::find_ports {cell} {
    variable cells
    set facts [dict get $cells $cell]
    if {[dict get $facts top] ne ""} {
        return [module_interfaces [dict get $facts top] [dict get $facts file] [dict get $facts associated]]
    }
    set found {}
    switch -glob -- [dict get $facts vlnv] {
        *:axi_dma:* {
            lappend found {intf S_AXI_LITE Slave aximm 32 s_axi_lite_aclk} {seg Reg S_AXI_LITE 65536} \
                {pin s_axi_lite_aclk I clk {}} {pin axi_resetn I rst ACTIVE_LOW} {pin axi_dma_tstvec O other {}}
            if {[value_of $cell c_include_mm2s]} {
                lappend found [list intf M_AXI_MM2S Master aximm [value_of $cell c_m_axi_mm2s_data_width] m_axi_mm2s_aclk] \
                    [list intf M_AXIS_MM2S Master axis [value_of $cell c_m_axis_mm2s_tdata_width] m_axi_mm2s_aclk] \
                    {space Data_MM2S M_AXI_MM2S} {pin m_axi_mm2s_aclk I clk {}} {pin mm2s_introut O other {}} \
                    {pin mm2s_prmry_reset_out_n O rst ACTIVE_LOW}
            }
            if {[value_of $cell c_include_s2mm]} {
                lappend found [list intf M_AXI_S2MM Master aximm [value_of $cell c_m_axi_s2mm_data_width] m_axi_s2mm_aclk] \
                    [list intf S_AXIS_S2MM Slave axis [value_of $cell c_s_axis_s2mm_tdata_width] m_axi_s2mm_aclk] \
                    {space Data_S2MM M_AXI_S2MM} {pin m_axi_s2mm_aclk I clk {}} {pin s2mm_introut O other {}} \
                    {pin s2mm_prmry_reset_out_n O rst ACTIVE_LOW}
            }
            if {[value_of $cell c_include_sg]} {
                lappend found {intf M_AXI_SG Master aximm 32 m_axi_sg_aclk} {space Data_SG M_AXI_SG} \
                    {pin m_axi_sg_aclk I clk {}}
                if {[value_of $cell c_sg_include_stscntrl_strm]} {
                    lappend found {intf M_AXIS_CNTRL Master axis 32 m_axi_sg_aclk} \
                        {intf S_AXIS_STS Slave axis 32 m_axi_sg_aclk}
                }
            }
        }
        *:smartconnect:* {
            foreach {side mode} {S Slave M Master} {
                for {set i 0} {$i < [value_of $cell NUM_${side}I]} {incr i} {
                    lappend found [list intf [format %s%02d_AXI $side $i] $mode aximm {} aclk]
                }
            }
            lappend found {pin aclk I clk {}}
            for {set i 1} {$i < [value_of $cell NUM_CLKS]} {incr i} { lappend found [list pin aclk$i I clk {}] }
            if {[value_of $cell HAS_ARESETN]} { lappend found {pin aresetn I rst ACTIVE_LOW} }
        }
        *:axi_interconnect:* {
            lappend found {pin ACLK I clk {}} {pin ARESETN I rst ACTIVE_LOW}
            foreach {side mode} {S Slave M Master} {
                for {set i 0} {$i < [value_of $cell NUM_${side}I]} {incr i} {
                    set port [format %s%02d $side $i]
                    lappend found [list intf ${port}_AXI $mode aximm {} ${port}_ACLK] \
                        [list pin ${port}_ACLK I clk {}] [list pin ${port}_ARESETN I rst ACTIVE_LOW]
                }
            }
        }
        *:proc_sys_reset:* {
            lappend found {pin slowest_sync_clk I clk {}} {pin ext_reset_in I rst {}} {pin aux_reset_in I other {}} \
                {pin mb_debug_sys_rst I other {}} {pin dcm_locked I other {}} {pin mb_reset O rst ACTIVE_HIGH} \
                {pin bus_struct_reset O rst ACTIVE_HIGH} {pin peripheral_reset O rst ACTIVE_HIGH} \
                {pin interconnect_aresetn O rst ACTIVE_LOW} {pin peripheral_aresetn O rst ACTIVE_LOW}
        }
        *:clk_wiz:* {
            lappend found {pin clk_in1 I clk {}} {pin reset I rst ACTIVE_HIGH} {pin clk_out1 O clk {}} {pin locked O other {}}
        }
        *:processing_system7:* {
            lappend found {intf DDR Master ddr {} {}} {intf FIXED_IO Master fixed_io {} {}} {space Data M_AXI}
            foreach i {0 1} {
                if {[value_of $cell PCW_USE_M_AXI_GP$i]} {
                    lappend found [list intf M_AXI_GP$i Master aximm 32 M_AXI_GP${i}_ACLK] \
                        [list pin M_AXI_GP${i}_ACLK I clk {}]
                }
            }
            foreach i {0 1 2 3} {
                if {[value_of $cell PCW_USE_S_AXI_HP$i]} {
                    set port S_AXI_HP$i
                    lappend found [list intf $port Slave aximm [value_of $cell PCW_${port}_DATA_WIDTH] ${port}_ACLK] \
                        [list pin ${port}_ACLK I clk {}] [list seg HP${i}_DDR_LOWOCM $port 536870912 0]
                }
                if {[value_of $cell PCW_EN_CLK${i}_PORT]} { lappend found [list pin FCLK_CLK$i O clk {}] }
                if {[value_of $cell PCW_EN_RST${i}_PORT] == 1} {
                    lappend found [list pin FCLK_RESET${i}_N O rst ACTIVE_LOW]
                }
            }
            if {[value_of $cell PCW_USE_FABRIC_INTERRUPT] && [value_of $cell PCW_IRQ_F2P_INTR]} {
                lappend found {pin IRQ_F2P I other {}}
            }
        }
        *:zynq_ultra_ps_e:* {
            lappend found {space Data M_AXI} {pin pl_clk0 O clk {}} {pin pl_resetn0 O rst ACTIVE_LOW}
            foreach {i name} {0 HPM0_FPD 1 HPM1_FPD 2 HPM0_LPD} {
                if {[value_of $cell PSU__USE__M_AXI_GP$i]} {
                    set clock maxi[string tolower $name]_aclk
                    lappend found [list intf M_AXI_$name Master aximm [value_of $cell PSU__MAXIGP${i}__DATA_WIDTH] $clock] \
                        [list pin $clock I clk {}]
                }
            }
            foreach {i name short} {0 HPC0_FPD HPC0 1 HPC1_FPD HPC1 2 HP0_FPD HP0 3 HP1_FPD HP1 4 HP2_FPD HP2
                5 HP3_FPD HP3} {
                if {[value_of $cell PSU__USE__S_AXI_GP$i]} {
                    set clock saxi[string tolower $name]_aclk
                    lappend found [list intf S_AXI_$name Slave aximm [value_of $cell PSU__SAXIGP${i}__DATA_WIDTH] $clock] \
                        [list pin $clock I clk {}] [list seg ${short}_DDR_LOW SAXIGP$i 2147483648 0] \
                        [list seg ${short}_QSPI SAXIGP$i 536870912 3221225472] \
                        [list seg ${short}_LPS_OCM SAXIGP$i 16777216 4278190080]
                    if {[value_of $cell PSU__HIGH_ADDRESS__ENABLE]} {
                        lappend found [list seg ${short}_DDR_HIGH SAXIGP$i 34359738368 34359738368]
                    }
                }
            }
            if {[value_of $cell PSU__USE__IRQ0]} { lappend found {pin pl_ps_irq0 I other {}} }
        }
    }
    return $found
}

# --- project --------------------------------------------------------------------------------------------------------

::vivado::define version {-short} {0 0} { return [release] }

::vivado::define create_project {-part= -force -in_memory -ip} {0 2} {
    variable project
    variable session
    variable files
    lassign $pos name folder
    if {$name eq ""} { set name project_1 }
    if {$folder eq ""} { set folder . }
    set folder [file normalize $folder]
    if {$project ne ""} { error "ERROR: \[Common 17-69\] project '$project' is open; close it first" }
    if {[file exists [file join $folder $name.xpr]] && ![dict exists $opt -force]} {
        error "ERROR: \[Coretcl 2-27\] Project already exists: $folder/$name.xpr. Use -force to overwrite."
    }
    set part [option $opt -part {}]
    if {$part ne "" && $part ni [dict get $session parts]} {
        error "ERROR: \[Coretcl 2-106\] Specified part '$part' could not be found."
    }
    set project $name
    set files [dict create sources_1 {} constrs_1 {} sim_1 {}]
    variable properties
    foreach stale {sources_1 constrs_1 sim_1 synth_1 impl_1} { dict unset properties $stale }
    set_value $name PART $part
    set_value $name BOARD_PART {}
    set_value $name DIRECTORY $folder
    set_value $name NAME $name
    set_value $name DEFAULT_LIB xil_defaultlib
    foreach run {synth_1 impl_1} {
        set_value $run NAME $run
        set_value $run DIRECTORY [file join $folder $name.runs $run]
        set_value $run PROGRESS 0%
        set_value $run STATUS {Not started}
    }
    if {![dict exists $opt -in_memory]} { make_file [file join $folder $name.xpr] "project $name" }
    return [object $name]
}

::vivado::define current_project {} {0 1} { need_project; return [object [current]] }
::vivado::define get_projects {-filter=} {0 1} { return [objects [current]] }

::vivado::define close_project {-delete} {0 0} {
    variable project
    variable design
    variable cells
    variable config
    variable files
    need_project
    record closed $project
    # The design of the project just closed stays in what is written down; a new project starts empty.
    set project {}
}

::vivado::define save_project_as {-force} {1 2} { need_project }
::vivado::define set_param {} {2 2} {
    variable params
    dict set params [lindex $pos 0] [lindex $pos 1]
    return [lindex $pos 1]
}
::vivado::define get_param {} {1 1} {
    variable params
    return [expr {[dict exists $params [lindex $pos 0]] ? [dict get $params [lindex $pos 0]] : ""}]
}
::vivado::define set_msg_config {-id= -string= -severity= -limit= -new_severity= -suppress -count} {0 0} {}
::vivado::define start_gui {} {0 0} { error "ERROR: there is no display" }
::vivado::define startgroup {} {0 0} {}
::vivado::define endgroup {} {0 0} {}

::vivado::define get_parts {-regexp -nocase -filter= -of_objects=} {0 1} {
    variable session
    set found [lsearch -all -inline -glob [dict get $session parts] [lindex [concat $pos {*}] 0]]
    if {[dict exists $opt -filter]} {
        set found [lmap part $found {
            if {![passes [dict get $opt -filter] [dict create NAME $part]]} continue
            set part
        }]
    }
    return [objects $found]
}

# Boards of the Vivado Store lie in a folder of its own, which is looked into once it has been named.
proc ::vivado::boards {} {
    variable session
    variable params
    set found [dict get $session boards]
    if {[dict exists $params board.repoPaths] && "/store" in [dict get $params board.repoPaths]} {
        lappend found {*}[dict get $session stored]
    }
    return $found
}

::vivado::define xhub::get_xstores {-regexp -nocase -filter=} {0 1} {
    set_value xilinx_board_store LOCAL_ROOT_DIR /store
    return [objects xilinx_board_store]
}

::vivado::define get_board_parts {-regexp -nocase -latest_file_version -latest_hw_revision -filter= -of_objects=} {0 1} {
    set found {}
    foreach {board part} [boards] {
        if {![string match [lindex [concat $pos {*}] 0] $board]} { continue }
        if {[dict exists $opt -filter] &&
            ![passes [dict get $opt -filter] [dict create NAME $board PART_NAME $part]]} { continue }
        set_value $board NAME $board
        set_value $board PART_NAME $part
        lappend found $board
    }
    return [objects $found]
}

# --- properties -----------------------------------------------------------------------------------------------------

proc ::vivado::is_file {path} {
    variable files
    set path [file normalize $path]
    dict for {- paths} $files { if {$path in $paths} { return 1 } }
    return 0
}

::vivado::define set_property {-dict= -name= -value=} {0 3} {
    if {[dict exists $opt -dict]} {
        set values [dict get $opt -dict]
        set targets [lindex $pos 0]
        if {[llength $values] % 2} { error "ERROR: \[Common 17-159\] -dict needs names and values: $values" }
    } elseif {[dict exists $opt -name]} {
        set values [list [dict get $opt -name] [option $opt -value {}]]
        set targets [lindex $pos 0]
    } else {
        if {[llength $pos] != 3} { error "ERROR: \[Common 17-163\] set_property needs a name, a value and objects" }
        set values [list [lindex $pos 0] [lindex $pos 1]]
        set targets [lindex $pos 2]
    }
    if {[llength $targets] == 0} { error "ERROR: \[Common 17-55\] 'set_property' expects at least one object." }
    foreach target $targets { foreach {name value} $values { set_one $target $name $value } }
}

proc ::vivado::set_one {target name value} {
    variable cells
    variable config
    variable project
    variable session
    variable files
    variable core
    if {[dict exists $cells $target]} {
        if {![regexp {^CONFIG\.(.*)$} $name -> key]} {
            set_value $target [string toupper $name] $value
            return
        }
        set vlnv [dict get $cells $target vlnv]
        if {[regexp {^(.*)\.VALUE_SRC$} $key -> base]} {
            if {![known_parameter $vlnv $base]} { error "ERROR: \[BD 41-1276\] $target has no parameter $base" }
            dict set config $target $key $value
            return
        }
        if {![known_parameter $vlnv $key]} {
            error "ERROR: \[BD 41-1276\] Cannot set the parameter $key on $target. Parameter does not exist"
        }
        if {[dict exists $config $target $key] && [dict get $config $target $key] eq $value} { return }
        dict set config $target $key $value
        change
        return
    }
    set upper [string toupper $name]
    if {$target eq $project} {
        switch -- $upper {
            PART {
                if {$value ni [dict get $session parts]} {
                    error "ERROR: \[Coretcl 2-106\] Specified part '$value' could not be found."
                }
            }
            BOARD_PART {
                if {$value ne "" && ![dict exists [boards] $value]} {
                    error "ERROR: \[Board 49-71\] The board_part definition was not found for $value."
                }
                # The part follows the board, as it does in Vivado.
                if {$value ne ""} { set_value $project PART [dict get [boards] $value] }
            }
            DIRECTORY - NAME { error "ERROR: \[Common 17-107\] Cannot change read-only property '$upper'." }
            IP_REPO_PATHS {
                foreach path $value {
                    if {![file isdirectory $path]} { warn "\[IP_Flow 19-2248\] Failed to load user IP repository '$path'" }
                }
            }
        }
    } elseif {[dict exists $files $target]} {
        if {$upper eq "TOP"} {
            if {[file_of_module $value [dict get $files $target]] eq ""} {
                critical "\[filemgmt 20-730\] Could not find a top module '$value' in the fileset $target."
            }
        }
        if {$upper eq "IP_REPO_PATHS"} {
            set_value $project IP_REPO_PATHS $value
        }
    } elseif {[dict exists $core name] && $target eq [core_name]} {
        set lower [string tolower $name]
        dict set core $lower $value
        return
    }
    set_value $target $upper $value
}

::vivado::define get_property {} {2 2} {
    variable cells
    variable session
    variable config
    lassign $pos name target
    if {[llength $target] == 0} { error "ERROR: \[Common 17-55\] 'get_property' expects at least one object." }
    set upper [string toupper $name]
    if {[dict exists $cells $target]} {
        if {[regexp {^CONFIG\.(.*)$} $name -> key]} {
            if {$key in {PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ}} {
                return [made_clock_mhz $target]
            }
            if {![known_parameter [dict get $cells $target vlnv] $key]} { return {} }
            return [value_of $target $key]
        }
        switch -- $upper {
            NAME { return [string range $target 1 end] }
            PATH { return $target }
            VLNV { return [dict get $cells $target vlnv] }
            TYPE { return ip }
        }
    }
    if {$upper eq "CONFIG.FREQ_HZ" && [regexp {^(/\w+)/(FCLK_CLK0|pl_clk0)$} $target -> cell pin]} {
        return [expr {round([made_clock_mhz $cell] * 1e6)}]
    }
    if {[regexp {^STATS\.(.*)$} $upper -> figure] && $target eq "impl_1"} {
        if {[property impl_1 PROGRESS] ne "100%"} { return {} }
        switch -- $figure {
            WNS { return [dict get $session wns] }
            WHS { return [dict get $session whs] }
            TNS { return [total [dict get $session wns]] }
            THS { return [total [dict get $session whs]] }
            WPWS { return 1.0 }
            TPWS - FAILED_NETS { return 0 }
        }
    }
    if {[string match path_* $target]} {
        switch -- $upper {
            SLACK { return [dict get $session [dict get {path_max wns path_min whs} $target]] }
            STARTPOINT_PIN { return design_i/first_reg/C }
            ENDPOINT_PIN { return design_i/last_reg/D }
        }
    }
    if {$target in [dict keys [catalogue]]} {
        lassign [split $target :] vendor library short release
        return [dict get [dict create VLNV $target NAME $short VENDOR $vendor LIBRARY $library VERSION $release] $upper]
    }
    return [property $target $upper]
}

proc ::vivado::total {worst} { return [expr {$worst eq "" ? "" : min(0, $worst * 10)}] }

::vivado::define list_property {-regexp -class=} {0 2} { return {} }
::vivado::define report_property {-all -file= -return_string} {1 2} {}

# --- files ----------------------------------------------------------------------------------------------------------

::vivado::define current_fileset {-constrset -simset -srcset -blockset} {0 1} {
    need_project
    foreach {flag name} {-constrset constrs_1 -simset sim_1} { if {[dict exists $opt $flag]} { return [object $name] } }
    return [object sources_1]
}

::vivado::define get_filesets {-regexp -nocase -filter= -of_objects=} {0 1} {
    variable files
    need_project
    set found {}
    foreach pattern [concat $pos [expr {$pos eq "" ? "*" : ""}]] {
        lappend found {*}[lsearch -all -inline -glob [dict keys $files] $pattern]
    }
    if {$found eq "" && ![dict exists $opt -quiet]} { warn "\[Vivado 12-4174\] No filesets matched '$pos'." }
    return [objects $found]
}

::vivado::define add_files {-fileset= -of_objects= -norecurse -copy_to= -scan_for_includes} {0 1} {
    return [add_to [option $opt -fileset sources_1] [lindex $pos 0]]
}

::vivado::define import_files {-fileset= -force -of_objects= -norecurse -flat -relative_to=} {0 1} {
    set folder [file join [property [current] DIRECTORY] [current].srcs sources_1 imports]
    set copies {}
    foreach path [lindex $pos 0] {
        if {![file exists $path]} { error "ERROR: \[Vivado 12-172\] File or Directory '$path' does not exist" }
        file mkdir $folder
        ::vivado::real_file copy -force $path $folder
        lappend copies [file join $folder [file tail $path]]
    }
    return [add_to [option $opt -fileset sources_1] $copies]
}

proc ::vivado::add_to {fileset paths} {
    variable files
    need_project
    if {![dict exists $files $fileset]} { error "ERROR: \[Vivado 12-1023\] No fileset matched '$fileset'." }
    if {[llength $paths] == 0} { error "ERROR: \[Common 17-55\] 'add_files' expects at least one file." }
    set added {}
    foreach path $paths {
        if {![file exists $path]} { error "ERROR: \[Vivado 12-172\] File or Directory '$path' does not exist" }
        set members [list $path]
        if {[file isdirectory $path]} { set members [glob -nocomplain -types f $path/*] }
        foreach member $members {
            set member [file normalize $member]
            if {$member in [dict get $files $fileset]} {
                warn "\[filemgmt 56-12\] File '$member' cannot be added to the project because it already exists"
                continue
            }
            dict lappend files $fileset $member
            lappend added $member
        }
    }
    return $added
}

::vivado::define remove_files {-fileset= -of_objects=} {1 1} {
    variable files
    set fileset [option $opt -fileset sources_1]
    set left {}
    set gone [lmap path [lindex $pos 0] { file normalize $path }]
    foreach path [dict get $files $fileset] { if {$path ni $gone} { lappend left $path } }
    dict set files $fileset $left
}

::vivado::define get_files {-regexp -nocase -filter= -compile_order= -used_in= -of_objects= -all -norecurse} {0 1} {
    variable files
    need_project
    set found {}
    set patterns [lindex $pos 0]
    if {$patterns eq ""} { set patterns * }
    set wanted [expr {[dict exists $opt -of_objects] ? [dict get $opt -of_objects] : [dict keys $files]}]
    foreach fileset $wanted {
        foreach path [dict get $files $fileset] {
            set values [dict create NAME $path FILE_TYPE [file_type $path] IS_GLOBAL_INCLUDE 0]
            if {[dict exists $opt -filter] && ![passes [dict get $opt -filter] $values]} { continue }
            foreach pattern $patterns {
                if {[string match $pattern $path] || [string match */$pattern $path]} { lappend found $path; break }
            }
        }
    }
    if {$found eq "" && ![dict exists $opt -quiet]} { warn "\[Vivado 12-818\] No files matched '$patterns'" }
    return $found
}

proc ::vivado::file_type {path} {
    set set_type [property $path FILE_TYPE]
    if {$set_type ne ""} { return $set_type }
    switch -- [file extension $path] {
        .v { return Verilog }
        .sv { return SystemVerilog }
        .mem { return {Memory File} }
        .xdc { return XDC }
        .bd { return {Block Designs} }
    }
    return Unknown
}

::vivado::define update_compile_order {-force_gui -fileset=} {0 0} { need_project }
::vivado::define reorder_files {-fileset= -before= -after= -front -back -auto -disable_unused} {0 1} { need_project }

# --- packaging ------------------------------------------------------------------------------------------------------

proc ::vivado::core_name {} {
    variable core
    return [join [list [dict get $core vendor] [dict get $core library] [dict get $core name] [dict get $core version]] :]
}

::vivado::define ipx::package_project {-root_dir= -vendor= -library= -taxonomy= -name= -version= -module= -import_files
    -set_current= -force -generated_files -archive_source_project= -force_update_compile_order -no_xgui} {0 0} {
    variable core
    variable files
    need_project
    set top [property sources_1 TOP]
    set sources [dict get $files sources_1]
    if {$top eq ""} { error "ERROR: \[IP_Flow 19-3505\] the project has no top module" }
    set path [file_of_module $top $sources]
    if {$path eq ""} { error "ERROR: \[IP_Flow 19-3505\] no file of the project defines the top module '$top'" }
    if {[file_type $path] eq "SystemVerilog"} {
        critical "\[IP_Flow 19-734\] the top-level file '$path' of an IP should be Verilog or VHDL, not SystemVerilog"
    }
    set folder [file normalize [option $opt -root_dir [file dirname $path]]]
    if {[file exists [file join $folder component.xml]] && ![dict exists $opt -force]} {
        error "ERROR: \[IP_Flow 19-4302\] $folder holds a packaged IP; use -force"
    }
    file mkdir $folder
    if {[dict exists $opt -import_files]} {
        set copies {}
        file mkdir [file join $folder src]
        foreach source $sources {
            set copy [file join $folder src [file tail $source]]
            if {[file exists $copy] && $copy in $copies} { error "ERROR: \[IP_Flow 19-3\] two files are named [file tail $source]" }
            if {$source ne $copy} { ::vivado::real_file copy -force $source $copy }
            if {$source eq $path} { set path $copy }
            lappend copies $copy
        }
        set sources $copies
    } else {
        foreach source $sources {
            if {![within $source $folder]} {
                critical "\[IP_Flow 19-3833\] File '$source' of the IP lies outside of its folder '$folder'"
                break
            }
        }
    }
    variable session
    set sources [lsearch -all -inline -not -glob $sources [dict get $session left_out]]
    set core [dict create vendor [option $opt -vendor user.org] library [option $opt -library user] \
        name [option $opt -name $top] version [option $opt -version 1.0] folder $folder top $top file $path files $sources \
        associated {} saved 0]
    record packaged $top {*}$sources
    return [object [core_name]]
}

::vivado::define ipx::current_core {} {0 1} {
    variable core
    if {![dict exists $core name]} { error "ERROR: \[IP_Flow 19-1\] there is no current core" }
    return [object [core_name]]
}

proc ::vivado::core_interfaces {} {
    variable core
    return [module_interfaces [dict get $core top] [dict get $core file] [dict get $core associated]]
}

::vivado::define ipx::associate_bus_interfaces {-busif= -clock= -reset= -clear -remove} {0 1} {
    variable core
    set names [lmap port [core_interfaces] { if {[lindex $port 0] ni {intf pin}} continue; lindex $port 1 }]
    foreach key {-busif -clock} {
        if {[dict exists $opt $key] && [dict get $opt $key] ni $names} {
            error "ERROR: \[IP_Flow 19-583\] the core has no interface '[dict get $opt $key]'"
        }
    }
    if {[dict exists $opt -busif] && [dict exists $opt -clock]} {
        dict set core associated [dict get $opt -busif] [dict get $opt -clock]
    }
}

::vivado::define ipx::infer_bus_interface {-mode=} {2 3} {}
::vivado::define ipx::infer_bus_interfaces {} {1 2} {}
::vivado::define ipx::infer_core {-vendor= -library= -taxonomy= -name= -version= -as_library=} {1 1} {}
::vivado::define ipx::get_bus_interfaces {-of_objects= -filter= -regexp -nocase} {0 1} {
    set found {}
    foreach port [core_interfaces] {
        if {[lindex $port 0] ne "intf" && [lindex $port 3] ni {clk rst}} { continue }
        set name [lindex $port 1]
        if {$pos ne "" && ![string match [lindex $pos 0] $name]} { continue }
        lappend found core/$name
    }
    return [objects $found]
}
::vivado::define ipx::get_bus_parameters {-of_objects= -filter=} {0 1} { return {} }
::vivado::define ipx::add_bus_parameter {} {2 2} { return [object [lindex $pos 1]/[lindex $pos 0]] }
::vivado::define ipx::get_memory_maps {-of_objects= -filter=} {0 1} { return [memory_objects {} [lindex $pos 0]] }
::vivado::define ipx::get_address_blocks {-of_objects= -filter=} {0 1} { return [memory_objects /reg0 {}] }

proc ::vivado::memory_objects {suffix pattern} {
    set found {}
    foreach port [core_interfaces] {
        if {[lindex $port 0] eq "seg" && ($pattern eq "" || [string match $pattern [lindex $port 2]])} {
            lappend found core/map/[lindex $port 2]$suffix
        }
    }
    return [objects $found]
}

::vivado::define ipx::add_memory_map {} {2 2} { return [object core/map/[lindex $pos 0]] }
::vivado::define ipx::add_address_block {} {2 2} { return [object [lindex $pos 1]/[lindex $pos 0]] }
::vivado::define ipx::get_file_groups {-of_objects= -filter=} {0 1} {
    variable session
    return [lsearch -all -inline -glob [list [dict get $session synthesis_group] xilinx_anylanguagebehavioralsimulation] \
        [expr {$pos eq "" ? "*" : [lindex $pos 0]}]]
}
::vivado::define ipx::get_files {-of_objects= -filter= -type=} {0 1} {
    variable core
    set found {}
    foreach path [dict get $core files] {
        if {$pos eq "" || [string match *[lindex $pos 0] $path]} { lappend found $path }
    }
    return [objects $found]
}
::vivado::define ipx::add_file {} {2 2} {
    variable core
    set path [file normalize [file join [dict get $core folder] [lindex $pos 0]]]
    if {![file exists $path]} { error "ERROR: \[IP_Flow 19-4\] no file $path" }
    if {$path ni [dict get $core files]} { dict lappend core files $path }
    return [object $path]
}
::vivado::define ipx::get_user_parameters {-of_objects= -filter=} {0 1} { return {} }
::vivado::define ipx::remove_user_parameter {} {2 2} {}
::vivado::define ipx::create_xgui_files {-logo_file=} {0 1} {
    if {![string length [lindex $pos 0]]} { error "ERROR: \[IP_Flow 19-1\] create_xgui_files needs a core" }
}
::vivado::define ipx::update_checksums {} {0 1} {}
::vivado::define ipx::check_integrity {-kernel -xrt} {0 1} { return 1 }
::vivado::define ipx::unload_core {} {0 1} {}
::vivado::define ipx::save_core {} {0 1} {
    variable core
    variable cores
    if {![dict exists $core name]} { error "ERROR: \[IP_Flow 19-1\] there is no current core" }
    foreach key {vendor library name version} {
        if {![regexp {^[A-Za-z][\w.-]*$|^\d+\.\d+$} [dict get $core $key]]} {
            error "ERROR: \[IP_Flow 19-459\] '[dict get $core $key]' is no $key of an IP"
        }
    }
    make_file [file join [dict get $core folder] component.xml] [core_name]
    dict set cores [core_name] $core
    record core [core_name] {*}[dict get $core files]
}

::vivado::define update_ip_catalog {-rebuild -add_ip= -delete_ip= -disable_ip= -enable_ip= -repo_path= -delete_mem_ip} {0 0} {
    variable repositories
    need_project
    set repositories [property [current] IP_REPO_PATHS]
    record repositories {*}$repositories
}

::vivado::define get_ipdefs {-regexp -nocase -filter= -of_objects= -all} {0 1} {
    set found {}
    foreach vlnv [dict keys [catalogue]] {
        lassign [split $vlnv :] vendor library name release
        set values [dict create VLNV $vlnv NAME $name VENDOR $vendor LIBRARY $library VERSION $release]
        if {$pos ne "" && ![string match [lindex $pos 0] $vlnv]} { continue }
        if {[dict exists $opt -filter] && ![passes [dict get $opt -filter] $values]} { continue }
        lappend found $vlnv
    }
    return [objects $found]
}

::vivado::define get_ips {-regexp -nocase -filter= -all -exclude_bd_ips -of_objects=} {0 1} { return {} }
::vivado::define report_ip_status {-file= -name= -append -return_string} {0 0} { return {} }

# --- block design ---------------------------------------------------------------------------------------------------

::vivado::define create_bd_design {-dir= -cell= -bdsource=} {1 1} {
    variable design
    variable cells
    variable config
    variable files
    variable dirty
    need_project
    if {$design ne ""} { error "ERROR: \[BD 5-2\] the block design '$design' exists already" }
    set design [lindex $pos 0]
    if {![regexp {^[A-Za-z]\w*$} $design]} {
        set name $design
        set design {}
        error "ERROR: \[BD 41-75\] '$name' is no name for a block design: letters, digits and _ only"
    }
    set folder [file join [property [current] DIRECTORY] [current].srcs sources_1 bd $design]
    set path [make_file [file join $folder $design.bd] "block design $design"]
    dict lappend files sources_1 $path
    set dirty 1
    return [object $design]
}

::vivado::define current_bd_design {} {0 1} { need_design; variable design; return [object $design] }
::vivado::define get_bd_designs {-filter=} {0 1} { variable design; return [objects $design] }
::vivado::define open_bd_design {} {1 1} { need_design }
::vivado::define close_bd_design {} {1 1} { need_design }
::vivado::define current_bd_instance {} {0 1} { need_design; return [object /] }
::vivado::define regenerate_bd_layout {-hierarchy= -layout_file= -routing} {0 0} { need_design }

::vivado::define create_bd_cell {-vlnv= -type= -reference= -combine= -revision=} {1 1} {
    variable cells
    variable config
    variable files
    need_design
    set name /[string trimleft [lindex $pos 0] /]
    if {![regexp {^/[A-Za-z]\w*$} $name]} { error "ERROR: \[BD 41-75\] '$name' is no name for a cell" }
    if {[dict exists $cells $name]} { error "ERROR: \[BD 5-336\] the cell $name exists already" }
    set type [option $opt -type ip]
    if {$type eq "ip"} {
        if {![dict exists $opt -vlnv]} { error "ERROR: \[BD 5-335\] create_bd_cell -type ip needs -vlnv" }
        set wanted [dict get $opt -vlnv]
        if {[llength [split $wanted :]] == 3} { append wanted :* }
        set found [lsearch -all -inline -glob [dict keys [catalogue]] $wanted]
        if {$found eq ""} {
            error "ERROR: \[BD 5-216\] VLNV <[dict get $opt -vlnv]> is not supported for the current part or not in the catalog."
        }
        set vlnv [lindex [lsort -dictionary $found] end]
        set family [dict get [catalogue] $vlnv]
        if {$family ne "" && $family ne [family]} {
            error "ERROR: \[BD 5-216\] VLNV <$vlnv> is not supported for the current part."
        }
        set facts [dict create vlnv $vlnv top {} file {} associated {}]
        variable cores
        if {[dict exists $cores $vlnv]} {
            foreach key {top file associated} { dict set facts $key [dict get $cores $vlnv $key] }
        }
    } elseif {$type eq "module"} {
        set top [option $opt -reference {}]
        set path [file_of_module $top [dict get $files sources_1]]
        if {$path eq ""} { error "ERROR: \[filemgmt 56-195\] no file of the project defines the module '$top'" }
        if {[file_type $path] eq "SystemVerilog"} {
            error "ERROR: \[filemgmt 56-181\] Reference '$top' has a SystemVerilog file as its top, which is not allowed"
        }
        set facts [dict create vlnv xilinx.com:module_ref:$top:1.0 top $top file $path associated {}]
        record packaged $top {*}[dict get $files sources_1]
    } else {
        error "ERROR: the stand-in has no cells of type '$type'"
    }
    dict set cells $name $facts
    dict set config $name [dict create]
    change
    return [object $name]
}

proc ::vivado::lookup {what opt pos candidates} {
    set found {}
    foreach pattern [lindex $pos 0] {
        set absolute /[string trimleft $pattern /]
        lappend found {*}[lsearch -all -inline -glob $candidates $absolute]
    }
    if {[llength $pos] == 0} { set found $candidates }
    if {[dict exists $opt -filter]} {
        set found [lmap one $found {
            if {![passes [dict get $opt -filter] [object_values $one]]} continue
            set one
        }]
    }
    if {$found eq "" && ![dict exists $opt -quiet]} { warn "\[BD 5-235\] No $what matched '$pos'" }
    return [objects $found]
}

proc ::vivado::object_values {name} {
    variable cells
    set values [dict create NAME [lindex [split $name /] end] PATH $name]
    if {[dict exists $cells $name]} { dict set values VLNV [dict get $cells $name vlnv]; dict set values TYPE ip }
    foreach {cell port} [find_port $name] {
        switch -- [lindex $port 0] {
            pin {
                dict set values DIR [lindex $port 2]
                dict set values TYPE [lindex $port 3]
            }
            intf {
                dict set values MODE [lindex $port 2]
                dict set values VLNV xilinx.com:interface:[lindex $port 3]_rtl:1.0
            }
        }
    }
    return $values
}

proc ::vivado::find_port {path} {
    variable cells
    set parts [split [string trimleft $path /] /]
    if {[llength $parts] != 2} { return {} }
    lassign $parts cell name
    if {![dict exists $cells /$cell]} { return {} }
    foreach port [ports /$cell] { if {[lindex $port 0] in {pin intf} && [lindex $port 1] eq $name} { return [list /$cell $port] } }
    return {}
}

proc ::vivado::port_paths {kind of} {
    variable cells
    set found {}
    dict for {cell -} $cells {
        if {$of ne "" && $cell ni $of} { continue }
        foreach port [ports $cell] { if {[lindex $port 0] eq $kind} { lappend found $cell/[lindex $port 1] } }
    }
    return $found
}

::vivado::define get_bd_cells {-regexp -hierarchical -nocase -filter= -of_objects=} {0 1} {
    variable cells
    need_design
    if {[lindex $pos 0] eq "/"} { return [object /] }
    return [lookup cells $opt $pos [dict keys $cells]]
}
::vivado::define get_bd_pins {-regexp -hierarchical -nocase -filter= -of_objects=} {0 1} {
    need_design
    return [lookup pins $opt $pos [port_paths pin [option $opt -of_objects {}]]]
}
::vivado::define get_bd_intf_pins {-regexp -hierarchical -nocase -filter= -of_objects=} {0 1} {
    need_design
    return [lookup {interface pins} $opt $pos [port_paths intf [option $opt -of_objects {}]]]
}
::vivado::define get_bd_ports {-regexp -nocase -filter= -of_objects=} {0 1} {
    variable externals
    return [lookup ports $opt $pos [dict keys [dict filter $externals script {k v} { expr {[lindex $v 0] eq "pin"} }]]]
}
::vivado::define get_bd_intf_ports {-regexp -nocase -filter= -of_objects=} {0 1} {
    variable externals
    return [lookup {interface ports} $opt $pos \
        [dict keys [dict filter $externals script {k v} { expr {[lindex $v 0] eq "intf"} }]]]
}

::vivado::define create_bd_port {-from= -to= -dir= -type= -freq_hz=} {1 1} {
    variable externals
    need_design
    dict set externals /[lindex $pos 0] [list pin [option $opt -dir I] [option $opt -type other]]
    change
    return [object /[lindex $pos 0]]
}
::vivado::define create_bd_intf_port {-vlnv= -mode= -clock_domains=} {1 1} {
    variable externals
    need_design
    dict set externals /[lindex $pos 0] [list intf [option $opt -mode Slave] [option $opt -vlnv {}]]
    change
    return [object /[lindex $pos 0]]
}

# connect_* take names as well as objects; one that is not there is an error.
proc ::vivado::endpoints {kind names} {
    variable externals
    set found {}
    foreach name $names {
        set path /[string trimleft $name /]
        if {[dict exists $externals $path]} { lappend found $path; continue }
        set port [lindex [find_port $path] 1]
        if {[lindex $port 0] ne $kind} { error "ERROR: \[BD 5-106\] '$name' is no [dict get {pin pin intf {interface pin}} $kind]" }
        lappend found $path
    }
    return $found
}

::vivado::define connect_bd_net {-net= -boundary_type=} {0 99} {
    need_design
    set pins [endpoints pin [concat {*}$pos]]
    if {[llength $pins] < 1 || ([llength $pins] < 2 && ![dict exists $opt -net])} {
        error "ERROR: \[BD 5-4\] connect_bd_net needs two pins or more, got '$pins'"
    }
    record net [option $opt -net {}] {*}$pins
    change
    return [object net]
}

::vivado::define connect_bd_intf_net {-intf_net= -boundary_type= -auto_clock_connect} {2 2} {
    need_design
    set pins [endpoints intf [concat {*}$pos]]
    if {[llength $pins] != 2} { error "ERROR: \[BD 5-4\] connect_bd_intf_net needs two interface pins, got '$pins'" }
    record interface {*}$pins
    change
    return [object net]
}

::vivado::define apply_bd_automation {-rule= -config= -dict= -objects=} {0 1} {
    variable cells
    variable externals
    need_design
    set targets [lindex $pos 0]
    if {$targets eq ""} { error "ERROR: \[BD 5-105\] apply_bd_automation has no object" }
    set rule [option $opt -rule {}]
    set values [option $opt -config {}]
    foreach target $targets {
        switch -- $rule {
            xilinx.com:bd_rule:processing_system7 {
                foreach key [dict keys $values] {
                    if {$key ni {make_external apply_board_preset Master Slave}} { error "ERROR: \[BD 5-105\] $rule has no '$key'" }
                }
                foreach name [split [string map {{ } {}} [option $values make_external {}]] ,] {
                    dict set externals /$name [list intf Master $name]
                    record interface $target/$name /$name
                }
            }
            xilinx.com:bd_rule:zynq_ultra_ps_e {
                foreach key [dict keys $values] {
                    if {$key ni {apply_board_preset}} { error "ERROR: \[BD 5-105\] $rule has no '$key'" }
                }
            }
            default { error "ERROR: the stand-in has no model of the rule '$rule'" }
        }
        set preset [expr {[string is true -strict [option $values apply_board_preset 0]]}]
        if {$preset && [property [current] BOARD_PART] eq ""} {
            warn "\[BD 5-105\] no board part is set: no preset was applied to $target"
        }
        record automation $rule $target $preset [property [current] BOARD_PART]
        # A preset writes the processor's parameters anew: what the script had set before is gone.
        variable config
        if {$preset && [dict size [dict get $config $target]]} {
            record overwritten $target {*}[dict keys [dict get $config $target]]
            dict set config $target [dict create]
        }
    }
    change
}

::vivado::define make_bd_intf_pins_external {-name=} {1 1} {
    variable externals
    set path [lindex [endpoints intf [lindex $pos 0]] 0]
    set name /[option $opt -name [lindex [split $path /] end]_0]
    dict set externals $name [list intf Master $path]
    record interface $path $name
    change
    return [object $name]
}

# --- addresses ------------------------------------------------------------------------------------------------------

# Slave segments as {path bytes base}; the spaces of masters.
proc ::vivado::segments {} {
    variable cells
    set found [dict create]
    dict for {cell -} $cells {
        foreach port [ports $cell] {
            if {[lindex $port 0] eq "seg"} {
                lassign $port - name interface bytes base
                dict set found $cell/$interface/$name [list $bytes $base]
            }
        }
    }
    return $found
}

::vivado::define get_bd_addr_spaces {-regexp -hierarchical -nocase -filter= -of_objects=} {0 1} {
    variable cells
    need_design
    set found {}
    dict for {cell -} $cells {
        if {[dict exists $opt -of_objects] && $cell ni [dict get $opt -of_objects]} { continue }
        foreach port [ports $cell] { if {[lindex $port 0] eq "space"} { lappend found $cell/[lindex $port 1] } }
    }
    return [lookup {address spaces} $opt $pos $found]
}

::vivado::define get_bd_addr_segs {-regexp -hierarchical -nocase -filter= -of_objects= -excluded -addressed -unaddressed
    -addressing -addressables} {0 1} {
    need_design
    variable mapped
    set found [dict keys [segments]]
    if {[info exists mapped]} { lappend found {*}[dict keys $mapped] }
    if {[dict exists $opt -of_objects]} {
        set wanted {}
        foreach path $found {
            foreach of [dict get $opt -of_objects] {
                # An interface of the UltraScale+ processor names its segments by the number of the port.
                if {[string match $of/* $path] || [string match [alias_of $of]/* $path]} { lappend wanted $path }
            }
        }
        set found $wanted
    }
    return [lookup {address segments} $opt $pos $found]
}

proc ::vivado::alias_of {path} {
    return [string map {S_AXI_HPC0_FPD SAXIGP0 S_AXI_HPC1_FPD SAXIGP1 S_AXI_HP0_FPD SAXIGP2 S_AXI_HP1_FPD SAXIGP3
        S_AXI_HP2_FPD SAXIGP4 S_AXI_HP3_FPD SAXIGP5} $path]
}

::vivado::define assign_bd_address {-target_address_space= -boundary -master_boundary -external -dict= -import_from_file=
    -export_to_file= -export_gui_to_file= -offset= -range= -base_high= -force -combine_segments} {0 1} {
    variable cells
    variable mapped
    need_design
    if {$pos eq ""} {
        record automatic_addresses
        change
        return {}
    }
    set all [segments]
    set spaces [lmap one [get_bd_addr_spaces -quiet] { plain $one }]
    foreach path [lindex $pos 0] {
        set path /[string trimleft $path /]
        if {![dict exists $all $path]} { error "ERROR: \[BD 5-430\] no address segment '$path'" }
        lassign [dict get $all $path] bytes base
        set space [option $opt -target_address_space {}]
        if {$space ne ""} { set space /[string trimleft $space /] }
        if {$space ne "" && $space ni $spaces} { error "ERROR: \[BD 5-430\] no address space '$space'" }
        set offset [option $opt -offset $base]
        set range [option $opt -range $bytes]
        if {$offset eq ""} { set offset auto } else { set offset [bytes $offset] }
        set range [bytes $range]
        record address $space $path $offset $range
        lassign [split [string trimleft $path /] /] cell interface name
        dict set mapped $space/SEG_${cell}_$name [list $path $offset $range]
    }
    change
    return [object [lindex [dict keys $mapped] end]]
}

::vivado::define exclude_bd_addr_seg {-target_address_space=} {0 2} {
    variable mapped
    need_design
    foreach path [lindex $pos 0] { record excluded [option $opt -target_address_space {}] $path }
    change
}
::vivado::define include_bd_addr_seg {} {1 1} { need_design; change }

::vivado::define validate_bd_design {-include_pfm -force -design=} {0 0} {
    need_design
    record validated
}

::vivado::define save_bd_design {-force} {0 1} {
    variable dirty
    need_design
    set dirty 0
    record saved
}

::vivado::define write_bd_tcl {-force -bd_name= -no_mig_contents -make_local -include_layout -no_ip_version} {1 1} {
    make_file [file normalize [lindex $pos 0]] "recorded"
}
::vivado::define write_bd_layout {-force -format= -orientation= -scope= -hierarchy=} {1 1} {
    make_file [file normalize [lindex $pos 0]] "layout"
}

# --- outputs of the design, synthesis, implementation ---------------------------------------------------------------

proc ::vivado::generated_folder {} {
    variable design
    # Before 2020.2 generated files went to .srcs; all the releases a session may name use .gen.
    return [file join [property [current] DIRECTORY] [current].gen sources_1 bd $design]
}

proc ::vivado::generate {} {
    variable design
    variable generated
    variable dirty
    if {$design eq "" || $generated} { return }
    if {$dirty} { critical "\[BD 41-1273\] the block design $design was generated before it was saved" }
    make_file [file join [generated_folder] hw_handoff $design.hwh] "hardware handoff of $design, from generate_target"
    make_file [file join [generated_folder] synth $design.v] "module $design;\nendmodule"
    set generated 1
    record generated
}

::vivado::define make_wrapper {-top -testbench -inst_template -fileset= -import -force -files=} {0 1} {
    variable design
    variable files
    variable dirty
    need_design
    set path [lindex [option $opt -files [lindex $pos 0]] 0]
    if {$path eq "" || [file tail $path] ne "$design.bd"} {
        error "ERROR: \[BD 41-1049\] make_wrapper: '$path' is no block design"
    }
    if {![dict exists $opt -top]} { error "ERROR: the stand-in makes wrappers by -top only" }
    set wrapper [make_file [file join [generated_folder] hdl ${design}_wrapper.v] \
        "module ${design}_wrapper;\nendmodule"]
    record wrapper $dirty
    if {[dict exists $opt -import]} {
        set copy [file join [property [current] DIRECTORY] [current].srcs sources_1 imports hdl ${design}_wrapper.v]
        make_file $copy "module ${design}_wrapper;\nendmodule"
        add_to sources_1 [list $copy]
    }
    return $wrapper
}

::vivado::define generate_target {-force} {2 2} {
    lassign $pos what target
    if {$target eq ""} { error "ERROR: \[Common 17-55\] generate_target has no object" }
    if {$what ni {all synthesis simulation implementation instantiation_template}} {
        error "ERROR: \[Vivado 12-106\] no target '$what'"
    }
    generate
}

::vivado::define export_ip_user_files {-of_objects= -ip_user_files_dir= -ipstatic_source_dir= -lib_map_path= -no_script
    -sync -reset -force} {0 0} {}
::vivado::define create_ip_run {-force} {1 1} { return {} }
::vivado::define config_ip_cache {-import_from_project -use_cache_location= -use_project_cache -disable_cache -clear_output_repo
    -purge -remove -cache_has_match= -disable_for_ip -get_id -zip_cache -clear_local_cache} {0 1} {}

::vivado::define get_runs {-regexp -nocase -filter= -of_objects=} {0 1} {
    need_project
    set found {}
    foreach pattern [concat $pos [expr {$pos eq "" ? "*" : ""}]] {
        lappend found {*}[lsearch -all -inline -glob {synth_1 impl_1} $pattern]
    }
    if {$found eq "" && ![dict exists $opt -quiet]} { warn "\[Vivado 12-1023\] No runs matched '$pos'" }
    return [objects $found]
}
::vivado::define current_run {-synthesis -implementation} {0 1} {
    return [object [expr {[dict exists $opt -synthesis] ? "synth_1" : "impl_1"}]]
}
::vivado::define reset_runs {-prev_step -from_step= -noclean_dir} {1 1} { reset_them [lindex $pos 0] }
::vivado::define reset_run {-prev_step -from_step= -noclean_dir} {1 1} { reset_them [lindex $pos 0] }

proc ::vivado::reset_them {names} {
    foreach name $names {
        if {$name ni {synth_1 impl_1}} { error "ERROR: \[Vivado 12-1023\] no run '$name'" }
        set_value $name PROGRESS 0%
    }
}

::vivado::define launch_runs {-jobs= -scripts_only -lsf= -sge= -cluster_configuration= -dir= -to_step= -next_step -host=
    -remote_cmd= -email_to= -email_all -pre_launch_script= -post_launch_script= -custom_script= -force} {1 99} {
    need_project
    foreach name [concat {*}$pos] {
        if {$name ni {synth_1 impl_1}} { error "ERROR: \[Vivado 12-1023\] no run '$name'" }
        set step [option $opt -to_step {}]
        if {$step ne "" && $step ni {synth_design opt_design power_opt_design place_design post_place_power_opt_design
            phys_opt_design route_design post_route_phys_opt_design write_bitstream}} {
            error "ERROR: \[Vivado 12-4473\] the run '$name' has no step '$step'"
        }
        if {[dict exists $opt -jobs] && (![string is integer -strict [dict get $opt -jobs]] || [dict get $opt -jobs] < 1)} {
            error "ERROR: \[Vivado 12-106\] -jobs takes a positive number"
        }
        if {[property $name PROGRESS] eq "100%" && ![dict exists $opt -next_step]
            && !($name eq "impl_1" && $step eq "write_bitstream" && [property $name STATUS] eq "route_design Complete!")} {
            error "ERROR: \[Vivado 12-1088\] the run '$name' is complete; reset it before it is launched again"
        }
        generate
        if {$name eq "impl_1" && [property synth_1 PROGRESS] ne "100%"} { finish synth_1 {} }
        finish $name $step
        record launched $name $step [property sources_1 TOP]
    }
}

proc ::vivado::finish {name step} {
    variable session
    variable files
    set folder [property $name DIRECTORY]
    set top [property sources_1 TOP]
    if {$name in [dict get $session failing]} {
        set_value $name PROGRESS 32%
        set_value $name STATUS "[expr {$name eq "synth_1" ? "synth_design" : "place_design"}] ERROR"
        return
    }
    if {$top eq "" || [file_of_module $top [dict get $files sources_1]] eq ""} {
        set_value $name PROGRESS 0%
        set_value $name STATUS "synth_design ERROR"
        return
    }
    if {$name eq "impl_1" && [property synth_1 PROGRESS] ne "100%"} {
        set_value $name STATUS "Not started"
        return
    }
    if {$name eq "synth_1" && [set refused [refused_array]] ne ""} {
        make_file [file join $folder runme.log] "INFO: begun\n$refused"
        set_value $name STATUS "synth_design ERROR"
        return
    }
    if {$name eq "synth_1"} {
        make_file [file join $folder $top.dcp] checkpoint
        set_value $name STATUS {synth_design Complete!}
    } else {
        make_file [file join $folder ${top}_routed.dcp] checkpoint
        set_value $name STATUS {route_design Complete!}
        if {$step eq "write_bitstream"} {
            make_file [file join $folder $top.bit] "bitstream of $top for [property [current] PART], from the run"
            set_value $name STATUS {write_bitstream Complete!}
        }
    }
    set_value $name PROGRESS 100%
    foreach {run line} [dict get $session complaints] {
        if {$run eq $name} { make_file [file join $folder runme.log] "INFO: begun\n$line\nINFO: ended" }
    }
}

# Return the error of the first table that is larger than what synthesis takes for one array, "" if there is none.
proc ::vivado::refused_array {} {
    variable cores
    set limit 1000000
    regexp {rt::set_parameter var_size_limit (\d+)} [do_get_param {} synth.elaboration.rodinMoreOptions] -> limit
    dict for {- facts} $cores {
        foreach path [dict get $facts files] {
            if {[file extension $path] ne ".mem"} { continue }
            set bits [expr {4 * [regexp -all {[0-9A-Fa-f]} [read_text $path]]}]
            if {$bits > $limit} {
                return "ERROR: \[Synth 8-4556\] size of variable 'memory' is too large to handle; the size of the\
                    variable is $bits, the limit is $limit"
            }
        }
    }
    return ""
}

foreach name {wait_on_run wait_on_runs} {
    ::vivado::define $name {-timeout= -exit_condition=} {1 99} {
        foreach name [concat {*}$pos] {
            if {$name ni {synth_1 impl_1}} { error "ERROR: \[Vivado 12-1023\] no run '$name'" }
            record waited $name
            if {[property $name PROGRESS] ne "100%"} { error "ERROR: \[Common 17-39\] the run '$name' failed" }
        }
    }
}

::vivado::define open_run {-name= -pr_config=} {1 1} {
    variable opened
    set name [lindex $pos 0]
    if {[property $name PROGRESS] ne "100%"} { error "ERROR: \[Common 17-69\] the run '$name' is not complete" }
    set opened $name
    return [object $name]
}
::vivado::define open_checkpoint {-part=} {1 1} { variable opened; set opened impl_1 }
::vivado::define close_design {} {0 0} { variable opened; set opened {} }
::vivado::define current_design {} {0 1} { variable opened; return [objects $opened] }

proc ::vivado::need_run {} {
    variable opened
    if {$opened eq ""} { error "ERROR: \[Common 17-53\] User Exception: No open design." }
}

::vivado::define get_timing_paths {-from= -to= -through= -delay_type= -setup -hold -max_paths= -nworst= -unique_pins
    -sort_by= -slack_lesser_than= -slack_greater_than= -group= -no_report_unconstrained -filter= -regexp -nocase} {0 0} {
    variable session
    need_run
    set kind [expr {[dict exists $opt -hold] || [option $opt -delay_type max] eq "min" ? "path_min" : "path_max"}]
    set slack [dict get $session [dict get {path_max wns path_min whs} $kind]]
    if {$slack eq ""} { return {} }
    if {[dict exists $opt -slack_lesser_than] && $slack >= [dict get $opt -slack_lesser_than]} { return {} }
    return [object $kind]
}

proc ::vivado::report {kind opt} {
    need_run
    variable session
    set text "stand-in report $kind"
    if {$kind eq "timing"} {
        set met [expr {[dict get $session wns] >= 0 && [dict get $session whs] >= 0 && [dict get $session pulse] >= 0}]
        append text [expr {$met ? "\nAll user specified timing constraints are met." : "\nTiming constraints are not met."}]
    }
    if {[dict exists $opt -file]} { make_file [file normalize [dict get $opt -file]] $text }
    record report $kind [option $opt -file {}]
    if {[dict exists $opt -return_string]} { return $text }
}

::vivado::define report_timing_summary {-check_timing_verbose -delay_type= -no_detailed_paths -setup -hold -max_paths=
    -nworst= -unique_pins -path_type= -no_reused_label -input_pins -no_pblock -slack_lesser_than= -report_unconstrained
    -significant_digits= -no_header -file= -append -name= -return_string -warn_on_violation -datasheet -cells= -rpx=} {0 0} {
    return [report timing $opt]
}
::vivado::define report_timing {-from= -to= -delay_type= -max_paths= -nworst= -file= -append -name= -return_string -rpx=
    -sort_by= -path_type= -setup -hold} {0 0} { return [report paths $opt] }
::vivado::define report_utilization {-file= -append -pblocks= -evaluate_pblock -exclude_child_pblocks
    -exclude_non_assigned -cells= -return_string -slr -packthru -name= -no_primitives -omit_locs -hierarchical
    -spreadsheet_file= -spreadsheet_table= -spreadsheet_depth= -hierarchical_depth= -hierarchical_percentages
    -hierarchical_min_primitive_count= -format=} {0 0} {
    # UG835: "-format: only applicable for -hierarchical" in no release; xml is written with -file alone.
    if {[option $opt -format text] ni {text xml}} { error "ERROR: \[Common 17-69\] no format '[dict get $opt -format]'" }
    return [report utilization $opt]
}
::vivado::define report_route_status {-return_string -file= -append -of_objects= -route_type= -list_all_nets -show_all
    -dump_routes -has_routing -boolean_check= -ignore_cache -name= -max_nets=} {0 0} {
    variable session
    if {[dict exists $opt -boolean_check]} {
        need_run
        switch -- [dict get $opt -boolean_check] {
            ROUTED_FULLY - PLACED_FULLY { return [dict get $session routed] }
            PARTIALLY_ROUTED - ERRORS_IN_ROUTES { return [expr {![dict get $session routed]}] }
        }
        error "ERROR: \[Common 17-69\] no check '[dict get $opt -boolean_check]'"
    }
    return [report route $opt]
}

::vivado::define report_drc {-name= -upgrade_cw -checks= -ruledecks= -file= -rpx= -append -waived -no_waivers
    -return_string} {0 0} {
    variable checked
    set checked 1
    return [report drc $opt]
}

::vivado::define get_drc_violations {-name= -regexp -filter= -nocase} {0 1} {
    variable session
    variable checked
    need_run
    if {![info exists checked]} { return {} }
    set found {}
    foreach severity [dict get $session drc] {
        if {![dict exists $opt -filter] || [passes [dict get $opt -filter] [dict create SEVERITY $severity]]} {
            lappend found RULE-1#[expr {[llength $found] + 1}]
        }
    }
    return $found
}

foreach name {report_power report_methodology report_clock_utilization report_clocks
    report_design_analysis report_qor_suggestions report_cdc report_io report_bus_skew report_control_sets
    report_high_fanout_nets} {
    ::vivado::define $name {-file= -append -name= -return_string -rpx= -verbose -checks= -ruledecks= -details -show_all
        -max_nets= -format=} {0 0} "return \[report [list $name] \$opt\]"
}

::vivado::define write_bitstream {-force -verbose -raw_bitfile -no_binary_bitfile -mask_file -readback_file -logic_location_file
    -bin_file -reference_bitfile= -cell= -no_partial_bitfile} {1 1} {
    need_run
    set path [file normalize [lindex $pos 0]]
    if {[file extension $path] ne ".bit"} { append path .bit }
    if {[file exists $path] && ![dict exists $opt -force]} { error "ERROR: \[Common 17-49\] $path exists; use -force" }
    make_file $path "bitstream of [property sources_1 TOP] for [property [current] PART], from write_bitstream"
}

::vivado::define write_checkpoint {-force -cell= -logic_function_stripped -encrypt -key= -incremental_synth} {1 1} {
    need_run
    make_file [file normalize [lindex $pos 0]] checkpoint
}

::vivado::define write_hw_platform {-fixed -force -include_bit -include_sim_content -minimal -hw -hw_emu -rp= -static
    -debug_probes} {0 1} {
    variable design
    if {[dict exists $opt -include_bit] && [property impl_1 STATUS] ne "write_bitstream Complete!"} {
        error "ERROR: \[Project 1-655\] there is no bitstream to include"
    }
    make_file [file normalize [lindex $pos 0]] "hardware platform of $design"
}

# --- files and the end ----------------------------------------------------------------------------------------------

rename file ::vivado::real_file
proc file {args} {
    if {[lindex $args 0] in {copy rename delete}} {
        set calls [::vivado::mutate [list file {*}[::vivado::plain $args]]]
        foreach call $calls {
            ::vivado::record call {*}$call
            ::vivado::real_file {*}[lrange $call 1 end]
        }
        return
    }
    return [uplevel 1 [list ::vivado::real_file {*}[::vivado::plain $args]]]
}

rename exit ::vivado::real_exit
proc exit {{status 0}} {
    ::vivado::record exit $status
    ::vivado::write_record
    flush stdout
    ::vivado::real_exit $status
}

# key<TAB>value: version, wns, whs (may be empty), record, script, argument (repeated), part (repeated),
# board NAME PART (repeated), stored NAME PART (repeated: a board of the Vivado Store), failing RUN (repeated), drc SEVERITY (repeated), without COMMAND (repeated: one that this
# release does not have), left_out GLOB (files that the packager does not take along), synthesis_group NAME, complaint RUN TEXT
# (repeated: a line that the run's log has though it ends well), mutation KIND RE [TEXT].
proc ::vivado::read_session {path} {
    variable session
    set channel [open $path]
    fconfigure $channel -encoding utf-8
    foreach line [split [string trimright [read $channel] \n] \n] {
        set words [split $line \t]
        set key [lindex $words 0]
        switch -- $key {
            part { dict lappend session parts [lindex $words 1] }
            board { dict set session boards [lindex $words 1] [lindex $words 2] }
            stored { dict set session stored [lindex $words 1] [lindex $words 2] }
            argument { dict lappend session argv [lindex $words 1] }
            without { rename ::[lindex $words 1] {} }
            complaint { dict lappend session complaints [lindex $words 1] [lindex $words 2] }
            failing - drc { dict lappend session $key [lindex $words 1] }
            mutation { dict lappend session mutations [lrange $words 1 end] }
            default { dict set session $key [lindex $words 1] }
        }
    }
    close $channel
}

::vivado::read_session [lindex $argv 0]
set argv [dict get $::vivado::session argv]
set argc [llength $argv]
set argv0 vivado
if {[catch {uplevel #0 [list source [dict get $::vivado::session script]]} message trace]} {
    puts stderr $message
    puts stderr [dict get $trace -errorinfo]
    ::vivado::record error $message
    exit 1
}
exit 0
