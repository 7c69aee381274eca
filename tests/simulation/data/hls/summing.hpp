// SPDX-License-Identifier: Apache-2.0
// What the stages of the summing core share.
//
// $QNN_TEST_DEFECT plants a defect at run time, so that the tests share one build: 1 `add` subtracts, 2 `split` drops a
// bit, 3 the table lacks the stage `quads`, 4 the table has another width of `pairs`.
#pragma once

#include <ap_int.h>

#include <cstdlib>

const unsigned kBeats = 15;

inline bool defect(int number) {
  const char* planted = std::getenv("QNN_TEST_DEFECT");
  return planted != nullptr && std::atoi(planted) == number;
}

inline unsigned add(ap_uint<9> a, ap_uint<9> b) {
  return defect(1) ? a.to_uint() - b.to_uint() : a.to_uint() + b.to_uint();
}
