// SPDX-License-Identifier: Apache-2.0
// Dense layer with +-1 weights: res[p][o] = sum_i w[o][i] * data[p][i], exact integers (accumulators).
//
// CONFIG_T: n_pixels vectors of n_taps elements, n_out rows; see nnet_qnn_codes.h for the rest.
#ifndef NNET_QNN_MATVEC_H_
#define NNET_QNN_MATVEC_H_

#include "hls_stream.h"
#include "nnet_qnn_codes.h"

namespace nnet {

// io_parallel: data[n_pixels * n_taps], res[n_pixels * n_out].
template <class data_T, class res_T, typename CONFIG_T>
void qnn_matvec(data_T data[CONFIG_T::n_pixels * CONFIG_T::n_taps], res_T res[CONFIG_T::n_pixels * CONFIG_T::n_out],
                const typename CONFIG_T::weight_t weights[CONFIG_T::n_out * CONFIG_T::n_words]) {
// One frame every reuse_factor cycles: everything below unrolls.
#pragma HLS PIPELINE II = CONFIG_T::reuse_factor
#pragma HLS ARRAY_PARTITION variable = weights complete
  for (unsigned p = 0; p < CONFIG_T::n_pixels; p++) {
    qnn_operand<CONFIG_T, CONFIG_T::bipolar> operand;
    for (unsigned i = 0; i < CONFIG_T::n_taps; i++) {
      operand.put(i, data[p * CONFIG_T::n_taps + i]);
    }
    for (unsigned o = 0; o < CONFIG_T::n_out; o++) {
      res[p * CONFIG_T::n_out + o] =
          qnn_value<res_T, CONFIG_T::acc_width>(operand.dot(weights + o * CONFIG_T::n_words));
    }
  }
}

// io_stream: a vector is n_taps / data_T::size beats (several behind a flattened map), a result one beat.
template <class data_T, class res_T, typename CONFIG_T>
void qnn_matvec(hls::stream<data_T>& data, hls::stream<res_T>& res,
                const typename CONFIG_T::weight_t weights[CONFIG_T::n_out * CONFIG_T::n_words]) {
  static_assert(CONFIG_T::n_taps % data_T::size == 0, "qnn_matvec: whole beats make a vector");
  static_assert(res_T::size == CONFIG_T::n_out, "qnn_matvec: a result is one beat");
#pragma HLS ARRAY_PARTITION variable = weights complete
  for (unsigned p = 0; p < CONFIG_T::n_pixels; p++) {
    qnn_operand<CONFIG_T, CONFIG_T::bipolar> operand;
    for (unsigned beat = 0; beat < CONFIG_T::n_taps / data_T::size; beat++) {
#pragma HLS PIPELINE
      data_T in = data.read();
      for (unsigned i = 0; i < data_T::size; i++) {
#pragma HLS UNROLL
        operand.put(beat * data_T::size + i, in[i]);
      }
    }
    res_T out;
    for (unsigned o = 0; o < CONFIG_T::n_out; o++) {
#pragma HLS UNROLL
      out[o] = qnn_value<typename res_T::value_type, CONFIG_T::acc_width>(operand.dot(weights + o * CONFIG_T::n_words));
    }
    res.write(out);
  }
}

}  // namespace nnet

#endif
