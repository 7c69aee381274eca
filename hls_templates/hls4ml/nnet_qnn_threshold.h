// SPDX-License-Identifier: Apache-2.0
// Step function a channel: code = low + step * #{i : code >= T[c][i]}, from the top downwards in a falling channel.
//
// CONFIG_T: n_values in all, n_chan channels (fastest), n_steps thresholds a channel, ascending; code_width and
// code_signed of the input; low, step: the smallest code that is delivered and the distance of two;
// out_width: its bits.
#ifndef NNET_QNN_THRESHOLD_H_
#define NNET_QNN_THRESHOLD_H_

#include "hls_stream.h"
#include "nnet_qnn_codes.h"

namespace nnet {

template <class res_T, class CONFIG_T, class T>
res_T qnn_step(const T& x, unsigned channel, const typename CONFIG_T::threshold_t* thresholds,
               const typename CONFIG_T::falling_t* falling) {
#pragma HLS INLINE
  const ap_int<CONFIG_T::code_width + 1> code = qnn_code<CONFIG_T::code_width, CONFIG_T::code_signed>(x);
  int n_reached = 0;
  for (unsigned i = 0; i < CONFIG_T::n_steps; i++) {
#pragma HLS UNROLL
    n_reached += code >= thresholds[channel * CONFIG_T::n_steps + i];
  }
  if (falling[channel] != 0) {
    n_reached = int(CONFIG_T::n_steps) - n_reached;
  }
  return qnn_value<res_T, CONFIG_T::out_width>(
      ap_int<CONFIG_T::out_width + 1>(CONFIG_T::low + CONFIG_T::step * n_reached));
}

// io_parallel: data[n_values], res[n_values].
template <class data_T, class res_T, typename CONFIG_T>
void qnn_threshold(data_T data[CONFIG_T::n_values], res_T res[CONFIG_T::n_values],
                   const typename CONFIG_T::threshold_t thresholds[CONFIG_T::n_chan * CONFIG_T::n_steps],
                   const typename CONFIG_T::falling_t falling[CONFIG_T::n_chan]) {
#pragma HLS PIPELINE
#pragma HLS ARRAY_PARTITION variable = thresholds complete
#pragma HLS ARRAY_PARTITION variable = falling complete
  for (unsigned i = 0; i < CONFIG_T::n_values; i++) {
    res[i] = qnn_step<res_T, CONFIG_T>(data[i], i % CONFIG_T::n_chan, thresholds, falling);
  }
}

// io_stream: a beat out takes res_T::size / data_T::size beats in (more than one behind a flattened map).
template <class data_T, class res_T, typename CONFIG_T>
void qnn_threshold(hls::stream<data_T>& data, hls::stream<res_T>& res,
                   const typename CONFIG_T::threshold_t thresholds[CONFIG_T::n_chan * CONFIG_T::n_steps],
                   const typename CONFIG_T::falling_t falling[CONFIG_T::n_chan]) {
  static_assert(res_T::size % data_T::size == 0, "qnn_threshold: whole beats in make a beat out");
#pragma HLS ARRAY_PARTITION variable = thresholds complete
#pragma HLS ARRAY_PARTITION variable = falling complete
  for (unsigned beat = 0; beat < CONFIG_T::n_values / res_T::size; beat++) {
    res_T out;
    for (unsigned part = 0; part < res_T::size / data_T::size; part++) {
#pragma HLS PIPELINE
      data_T in = data.read();
      for (unsigned i = 0; i < data_T::size; i++) {
#pragma HLS UNROLL
        const unsigned place = part * data_T::size + i;
        out[place] = qnn_step<typename res_T::value_type, CONFIG_T>(
            in[i], (beat * res_T::size + place) % CONFIG_T::n_chan, thresholds, falling);
      }
    }
    res.write(out);
  }
}

}  // namespace nnet

#endif
