// SPDX-License-Identifier: Apache-2.0
//
// hls::stream for C simulation under a plain compiler, written from the documented interface of Vitis HLS. Vitis brings
// its own hls_stream.h: this folder is never on its include path.
//
//   a queue without limit: the depth, given as second template argument or by #pragma HLS stream, is a fact of hardware
//
// Contract: elements leave in the order they came. Reading an empty stream ends the program with a message that names
// the
// stream: in hardware the reader would wait for ever. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace hls {

template <typename T, int Depth = 0>
class stream;

template <typename T>
class stream<T, 0> {
 public:
  stream() : name_("unnamed") {}
  explicit stream(const char* name) : name_(name) {}
  // One stream has one place in the dataflow.
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  void write(const T& value) { elements_.push_back(value); }

  T read() {
    if (empty()) abort_empty();
    T value = elements_[head_];
    drop();
    return value;
  }

  void read(T& value) { value = read(); }

  bool read_nb(T& value) {
    if (empty()) return false;
    value = elements_[head_];
    drop();
    return true;
  }

  bool write_nb(const T& value) {
    write(value);
    return true;
  }

  stream& operator<<(const T& value) {
    write(value);
    return *this;
  }

  stream& operator>>(T& value) {
    read(value);
    return *this;
  }

  bool empty() const { return head_ == elements_.size(); }
  bool full() const { return false; }
  std::size_t size() const { return elements_.size() - head_; }

 private:
  // Storage is kept when the last element leaves: from the second frame on nothing is allocated.
  void drop() {
    ++head_;
    if (head_ == elements_.size()) {
      elements_.clear();
      head_ = 0;
    }
  }

  void abort_empty() const {
    std::fprintf(stderr, "hls::stream %s: read while empty; an operator expects more beats than it was given\n",
                 name_.c_str());
    std::abort();
  }

  std::vector<T> elements_;
  std::size_t head_ = 0;
  std::string name_;
};

template <typename T, int Depth>
class stream : public stream<T, 0> {
 public:
  stream() = default;
  explicit stream(const char* name) : stream<T, 0>(name) {}
};

}  // namespace hls
