// SPDX-License-Identifier: Apache-2.0
//
// C simulation: runs frames through the generated core and writes what comes out.
//
//   csim stages INPUT OUT FIRST COUNT   one stage after the other; OUT/<tensor>.bin for the output of every stage
//   csim core   INPUT OUT FIRST COUNT   the whole core qnn_hls_core; OUT/<tensor>.bin for its output alone
//
// INPUT holds frames of the core's input, one after the other; FIRST and COUNT say which are taken. All files are frames
// of 32-bit words as in stage_table.hpp, in the machine's byte order. Several processes may share the work.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "stage_table.hpp"

namespace {

typedef std::vector<std::uint32_t> Words;
typedef std::unique_ptr<std::FILE, int (*)(std::FILE*)> File;

[[noreturn]] void fail(const std::string& text) {
  std::fprintf(stderr, "csim: %s\n", text.c_str());
  std::exit(2);
}

File open(const std::string& path, const char* mode) {
  File file(std::fopen(path.c_str(), mode), &std::fclose);
  if (!file) fail(path + ": cannot be opened");
  return file;
}

void write(const File& file, const Words& words) {
  if (std::fwrite(words.data(), sizeof words[0], words.size(), file.get()) != words.size()) fail("the disk is full");
}

// A stage with room for one frame of every stream it reads or writes; tensors are shared by name.
struct Runner {
  const qnn::Stage* stage;
  std::vector<const std::uint32_t*> in;
  std::vector<std::uint32_t*> out;
};

Words& room(std::map<std::string, Words>& tensors, const qnn::Port& port) {
  Words& words = tensors[port.tensor];
  words.resize(qnn::words_of_frame(port));
  return words;
}

Runner prepare(const qnn::Stage& stage, std::map<std::string, Words>& tensors) {
  Runner runner = {&stage, {}, {}};
  for (unsigned i = 0; i < stage.n_inputs; ++i) runner.in.push_back(room(tensors, stage.inputs[i]).data());
  for (unsigned i = 0; i < stage.n_outputs; ++i) runner.out.push_back(room(tensors, stage.outputs[i]).data());
  return runner;
}

}  // namespace

int main(int n_arguments, char** arguments) {
  const std::string mode = n_arguments == 6 ? arguments[1] : "";
  if (mode != "stages" && mode != "core") fail("usage: csim stages|core INPUT OUT FIRST COUNT");
  const std::string folder = arguments[3];
  const long first = std::atol(arguments[4]);
  const long count = std::atol(arguments[5]);

  std::map<std::string, Words> tensors;
  std::vector<Runner> runners;
  if (mode == "core") {
    runners.push_back(prepare(qnn::core, tensors));
  } else {
    for (unsigned i = 0; i < qnn::n_stages; ++i) runners.push_back(prepare(qnn::stages[i], tensors));
  }
  std::vector<std::pair<const Words*, File>> outputs;
  for (const Runner& runner : runners) {
    for (unsigned i = 0; i < runner.stage->n_outputs; ++i) {
      const char* name = runner.stage->outputs[i].tensor;
      outputs.emplace_back(&tensors[name], open(folder + "/" + name + ".bin", "wb"));
    }
  }

  Words& frame = tensors[qnn::core.inputs[0].tensor];
  const File input = open(arguments[2], "rb");
  if (std::fseek(input.get(), first * static_cast<long>(frame.size() * sizeof frame[0]), SEEK_SET) != 0)
    fail("INPUT has no frame FIRST");
  for (long i = 0; i < count; ++i) {
    if (std::fread(frame.data(), sizeof frame[0], frame.size(), input.get()) != frame.size())
      fail("INPUT ends before its last frame");
    for (const Runner& runner : runners) runner.stage->run(runner.in.data(), runner.out.data());
    for (const auto& output : outputs) write(output.second, *output.first);
  }
  return 0;
}
