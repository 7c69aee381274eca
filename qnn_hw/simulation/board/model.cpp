// SPDX-License-Identifier: Apache-2.0
// The accelerator in the simulated board: the Verilated qnn_top, clocked, between two memories.
//
// Compiled with what Verilator makes of a build's RTL into one shared library; `rtl.py` loads it. On the two streams
// sits what an AXI DMA (7.1, simple mode, no realignment) does there, a cycle at a time:
//
//   MM2S sends a buffer in whole beats, TKEEP all ones but for what lies behind the buffer's end, TLAST on the last.
//   It can be made to break off earlier.
//   S2MM takes beats through a queue of four, armed or not, as the AXI DMA does (PG021: before it is programmed, TREADY
//   goes low after four beats); stop() empties it. It ends on TLAST; when the buffer is full without, the packet is too
//   long: overflow, and nothing more is taken until stop(). A TLAST that was lost silently leaves it waiting instead;
//   the overflow comes with one more beat.
//
// An AXI4-Lite access takes the clock cycles its handshakes need, the streams go on meanwhile.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "Vqnn_top.h"
#include "verilated.h"

namespace {

constexpr int kResetCycles = 16;
constexpr int kAnswerCycles = 1000;  // an AXI4-Lite access that takes longer will never end
constexpr unsigned kIdleCycles = 64;  // that a call of advance() spends on an accelerator nothing is moved to or from
constexpr unsigned kQueueBeats = 4;
constexpr std::size_t kBeatBytes = sizeof(Vqnn_top::s_axis_tdata);
static_assert(kBeatBytes == 8 || kBeatBytes == 16, "TDATA is 64 or 128 bits wide");

enum State : int { kIdle = 0, kRunning = 1, kEnded = 2, kOverflow = 3 };
enum Answer : int { kDone = 0, kNoAnswer = 1, kBroken = 2 };

std::string creation_problem;

struct Beat {
    std::uint8_t data[kBeatBytes];
    unsigned bytes;
    bool last;
    bool silent;  // its TLAST was lost, and no overflow follows from that alone
};

// Pauses of one stream: at random, and after each burst.
struct Pauses {
    std::uint64_t random = 1;
    std::uint32_t threshold = 0;  // of 2^32
    unsigned burst_beats = 0;     // 0: no bursts
    unsigned gap_cycles = 0;
    unsigned beats = 0;  // of the burst now under way
    unsigned left = 0;   // cycles of the gap still to come

    bool now() {
        if (left != 0) {
            --left;
            return true;
        }
        if (threshold == 0) return false;
        random ^= random << 13;  // xorshift64
        random ^= random >> 7;
        random ^= random << 17;
        return static_cast<std::uint32_t>(random >> 32) < threshold;
    }
    void count() {
        if (burst_beats != 0 && ++beats == burst_beats) {
            beats = 0;
            left = gap_cycles;
        }
    }
    void begin() {
        beats = 0;
        left = burst_beats != 0 ? gap_cycles : 0;
    }
};

class Model {
  public:
    std::string problem;

    Model(const char* data, int seed) {
        const std::string tables = std::string("+qnn_data=") + data;
        const char* arguments[] = {"qnn_top", tables.c_str()};
        context_.commandArgs(2, arguments);
        context_.randReset(2);
        context_.randSeed(seed);
        top_ = std::make_unique<Vqnn_top>(&context_, "qnn_top");
        top_->s_axis_tvalid = 0;
        top_->m_axis_tready = 0;
        top_->s_axil_arvalid = 0;
        top_->s_axil_awvalid = 0;
        top_->s_axil_wvalid = 0;
        top_->s_axil_bready = 1;
        top_->s_axil_rready = 1;
        top_->s_axil_wstrb = 0xF;
        top_->aclk = 0;
        reset();
    }

    ~Model() { top_->final(); }

    void reset() {
        stop();
        top_->aresetn = 0;
        for (int i = 0; i < kResetCycles; ++i) step();
        top_->aresetn = 1;
        stop();  // what the streams offered in reset was not meant
    }

    Answer read(unsigned offset, std::uint32_t* value) {
        top_->s_axil_araddr = offset & 0xFFFU;
        top_->s_axil_arvalid = !registers_frozen_;
        for (int i = 0; i < kAnswerCycles; ++i) {
            step();
            if (seen_.arready) top_->s_axil_arvalid = 0;
            if (seen_.rvalid && !registers_frozen_) {
                *value = seen_.rdata;
                return kDone;
            }
        }
        top_->s_axil_arvalid = 0;
        return kNoAnswer;
    }

    Answer write(unsigned offset, std::uint32_t value) {
        top_->s_axil_awaddr = offset & 0xFFFU;
        top_->s_axil_wdata = value;
        top_->s_axil_awvalid = !registers_frozen_;
        top_->s_axil_wvalid = !registers_frozen_;
        for (int i = 0; i < kAnswerCycles; ++i) {
            step();
            if (seen_.awready) top_->s_axil_awvalid = 0;
            if (seen_.wready) top_->s_axil_wvalid = 0;
            if (seen_.bvalid && !registers_frozen_) return kDone;
        }
        top_->s_axil_awvalid = 0;
        top_->s_axil_wvalid = 0;
        return kNoAnswer;
    }

    // Of `bytes`, at most `limit` are sent: whole beats, less than all of them.
    void send(const std::uint8_t* memory, std::uint64_t bytes, std::uint64_t limit) {
        source_ = memory;
        source_left_ = bytes;
        source_end_ = limit < bytes ? bytes - limit : 0;
        source_state_ = bytes != source_end_ ? kRunning : kEnded;
        offered_ = false;
        source_pauses_.begin();
    }

    void receive(std::uint8_t* memory, std::uint64_t capacity) {
        sink_ = memory;
        capacity_ = capacity;
        received_ = 0;
        sink_state_ = kRunning;
        sink_pauses_.begin();
    }

    // Clocks `cycles` cycles, while neither engine is running kIdleCycles of them at most.
    std::uint64_t advance(std::uint64_t cycles) {
        std::uint64_t passed = 0;
        unsigned idle = 0;
        for (; passed < cycles; ++passed) {
            if (source_state_ != kRunning && sink_state_ != kRunning && idle++ == kIdleCycles) break;
            step();
        }
        return passed;
    }

    void stop() {
        source_state_ = sink_state_ = kIdle;
        source_left_ = 0;
        queued_ = 0;
        offered_ = false;
        extra_now_ = 0;
    }

    void pauses(std::uint64_t seed, std::uint32_t threshold, unsigned burst_beats, unsigned gap_cycles) {
        source_pauses_ = sink_pauses_ = Pauses{0, threshold, burst_beats, gap_cycles, 0, 0};
        source_pauses_.random = (2 * seed + 1) * 0x9E3779B97F4A7C15ULL;  // odd, thus never 0
        sink_pauses_.random = (2 * seed + 1) * 0xD1B54A32D192ED03ULL;
    }

    void drop_tlast(unsigned count, bool silent) {
        tlasts_to_drop_ = count;
        drops_silently_ = silent;
    }
    void early_tlast(unsigned count) { tlasts_to_add_ = count; }
    void extra_beats(unsigned count) { extra_ = count; }
    void freeze(bool streams, bool registers) {
        streams_frozen_ = streams;
        registers_frozen_ = registers;
    }

    std::uint64_t source_left() const { return source_left_; }
    std::uint64_t received() const { return received_; }
    int source_state() const { return source_state_; }
    int sink_state() const { return sink_state_; }
    std::uint64_t cycles() const { return cycles_; }

  private:
    // One clock cycle: drive, settle, look at the handshakes, edge, move the beats.
    void step() {
        bool offer = false;
        if (source_state_ == kRunning) {
            if (!offered_ && !streams_frozen_ && !source_pauses_.now()) {
                offered_ = true;
                load();
            }
            offer = offered_;
        }
        const bool room = sink_state_ != kOverflow && queued_ < kQueueBeats && extra_now_ == 0 && !streams_frozen_ &&
                          !sink_pauses_.now();
        top_->s_axis_tvalid = offer;
        top_->m_axis_tready = room;
        top_->aclk = 0;
        top_->eval();
        const bool sent = offer && top_->s_axis_tready;
        const bool taken = room && top_->m_axis_tvalid;
        Beat beat;
        if (taken) {
            std::memcpy(beat.data, &top_->m_axis_tdata, kBeatBytes);
            beat.bytes = static_cast<unsigned>(__builtin_popcount(top_->m_axis_tkeep));
            beat.last = top_->m_axis_tlast;
            beat.silent = false;
        }
        seen_ = {top_->s_axil_arready != 0, top_->s_axil_rvalid != 0, top_->s_axil_rdata,
                 top_->s_axil_awready != 0, top_->s_axil_wready != 0, top_->s_axil_bvalid != 0};
        top_->aclk = 1;
        top_->eval();
        ++cycles_;
        if (sent) {
            const std::uint64_t moved = source_left_ < kBeatBytes ? source_left_ : kBeatBytes;
            source_ += moved;
            source_left_ -= moved;
            offered_ = false;
            if (source_left_ == source_end_) source_state_ = kEnded;
            source_pauses_.count();
        }
        if (sink_state_ == kRunning && queued_ != 0) deliver();
        if (extra_now_ != 0 && queued_ < kQueueBeats) {
            Beat more = {};
            more.bytes = kBeatBytes;
            more.last = --extra_now_ == 0;
            push(more);
        }
        if (taken) {
            sink_pauses_.count();
            if (beat.last && tlasts_to_drop_ != 0) {
                --tlasts_to_drop_;
                beat.last = false;
                beat.silent = drops_silently_;
            }
            if (tlasts_to_add_ != 0) {
                --tlasts_to_add_;
                beat.last = true;
            }
            if (beat.last && extra_ != 0) {
                beat.last = false;
                extra_now_ = extra_;
                extra_ = 0;
            }
            push(beat);
        }
    }

    void load() {
        std::uint8_t data[kBeatBytes] = {};
        const std::size_t bytes = source_left_ < kBeatBytes ? static_cast<std::size_t>(source_left_) : kBeatBytes;
        std::memcpy(data, source_, bytes);
        std::memcpy(&top_->s_axis_tdata, data, kBeatBytes);
        top_->s_axis_tkeep = (1U << bytes) - 1;
        top_->s_axis_tlast = source_left_ <= kBeatBytes;
    }

    void push(const Beat& beat) { queue_[(first_ + queued_++) % kQueueBeats] = beat; }

    void deliver() {
        const Beat& beat = queue_[first_];
        const std::uint64_t room = capacity_ - received_;
        const std::size_t bytes = room < beat.bytes ? static_cast<std::size_t>(room) : beat.bytes;
        std::memcpy(sink_ + received_, beat.data, bytes);
        received_ += bytes;
        if (bytes < beat.bytes || (received_ == capacity_ && !beat.last && !beat.silent)) {
            sink_state_ = kOverflow;
        } else if (beat.last) {
            sink_state_ = kEnded;
        }
        first_ = (first_ + 1) % kQueueBeats;
        --queued_;
    }

    struct Seen {
        bool arready, rvalid;
        std::uint32_t rdata;
        bool awready, wready, bvalid;
    };

    VerilatedContext context_;
    std::unique_ptr<Vqnn_top> top_;
    std::uint64_t cycles_ = 0;
    Seen seen_ = {};

    const std::uint8_t* source_ = nullptr;
    std::uint64_t source_left_ = 0;
    std::uint64_t source_end_ = 0;  // of source_left_
    State source_state_ = kIdle;
    bool offered_ = false;  // a beat stands on s_axis until it is taken
    Pauses source_pauses_;

    std::uint8_t* sink_ = nullptr;
    std::uint64_t capacity_ = 0;
    std::uint64_t received_ = 0;
    State sink_state_ = kIdle;
    Pauses sink_pauses_;
    Beat queue_[kQueueBeats];
    unsigned first_ = 0;
    unsigned queued_ = 0;

    unsigned tlasts_to_drop_ = 0;
    bool drops_silently_ = false;
    unsigned tlasts_to_add_ = 0;
    unsigned extra_ = 0;
    unsigned extra_now_ = 0;  // beats to put behind the one that had TLAST
    bool streams_frozen_ = false;
    bool registers_frozen_ = false;
};

// What a call into the model throws becomes the model's problem: no exception crosses the library's edge.
template <typename Result, typename Call>
Result guarded(Model* model, Result failed, Call call) {
    try {
        return call();
    } catch (const std::exception& error) {
        model->problem = error.what();
        return failed;
    }
}

}  // namespace

// Verilator's own would end the process, which here is the user's Python.
void vl_fatal(const char* file, int line, const char*, const char* message) {
    throw std::runtime_error(std::string(file) + (line ? ":" + std::to_string(line) : "") + ": " + message);
}
void vl_stop(const char* file, int line, const char* scope) { vl_fatal(file, line, scope, "the design stopped"); }
void vl_warn(const char* file, int line, const char* scope, const char* message) {
    vl_fatal(file, line, scope, message);
}

#define QNN_EXPORT extern "C" __attribute__((visibility("default")))

QNN_EXPORT unsigned qnn_model_beat_bytes() { return kBeatBytes; }
QNN_EXPORT Model* qnn_model_create(const char* data, int seed) {
    try {
        return new Model(data, seed);
    } catch (const std::exception& error) {
        creation_problem = error.what();
        return nullptr;
    }
}
QNN_EXPORT void qnn_model_destroy(Model* model) { delete model; }
QNN_EXPORT const char* qnn_model_problem(const Model* model) {
    return model ? model->problem.c_str() : creation_problem.c_str();
}
QNN_EXPORT int qnn_model_reset(Model* model) {
    return guarded<int>(model, kBroken, [&] { return model->reset(), kDone; });
}
QNN_EXPORT int qnn_model_read(Model* model, unsigned offset, std::uint32_t* value) {
    return guarded<int>(model, kBroken, [&] { return model->read(offset, value); });
}
QNN_EXPORT int qnn_model_write(Model* model, unsigned offset, std::uint32_t value) {
    return guarded<int>(model, kBroken, [&] { return model->write(offset, value); });
}
QNN_EXPORT std::int64_t qnn_model_advance(Model* model, std::uint64_t cycles) {
    return guarded<std::int64_t>(model, -1, [&] { return static_cast<std::int64_t>(model->advance(cycles)); });
}
QNN_EXPORT void qnn_model_send(Model* model, const std::uint8_t* memory, std::uint64_t bytes, std::uint64_t limit) {
    model->send(memory, bytes, limit);
}
QNN_EXPORT void qnn_model_receive(Model* model, std::uint8_t* memory, std::uint64_t capacity) {
    model->receive(memory, capacity);
}
QNN_EXPORT void qnn_model_stop(Model* model) { model->stop(); }
QNN_EXPORT void qnn_model_pauses(Model* model, std::uint64_t seed, std::uint32_t threshold, unsigned burst_beats,
                                 unsigned gap_cycles) {
    model->pauses(seed, threshold, burst_beats, gap_cycles);
}
QNN_EXPORT void qnn_model_drop_tlast(Model* model, unsigned count, int silent) {
    model->drop_tlast(count, silent != 0);
}
QNN_EXPORT void qnn_model_early_tlast(Model* model, unsigned count) { model->early_tlast(count); }
QNN_EXPORT void qnn_model_extra_beats(Model* model, unsigned count) { model->extra_beats(count); }
QNN_EXPORT void qnn_model_freeze(Model* model, int streams, int registers) {
    model->freeze(streams != 0, registers != 0);
}
QNN_EXPORT std::uint64_t qnn_model_source_left(const Model* model) { return model->source_left(); }
QNN_EXPORT std::uint64_t qnn_model_received(const Model* model) { return model->received(); }
QNN_EXPORT int qnn_model_source_state(const Model* model) { return model->source_state(); }
QNN_EXPORT int qnn_model_sink_state(const Model* model) { return model->sink_state(); }
QNN_EXPORT std::uint64_t qnn_model_cycles(const Model* model) { return model->cycles(); }
