// SPDX-License-Identifier: Apache-2.0
// 2D convolution with +-1 weights: the accumulators, exact integers. Weight order within a row: (kh, kw, channel).
//
// Padded positions hold pad_code, or nothing at all (zero_padding: their products are missing from the sum).
// CONFIG_T: geometry as in nnet_qnn_window.h, n_filt rows, n_taps = filt_height * filt_width * n_chan; see
// nnet_qnn_codes.h for the rest.
#ifndef NNET_QNN_CONVOLUTION_H_
#define NNET_QNN_CONVOLUTION_H_

#include "hls_stream.h"
#include "nnet_qnn_codes.h"
#include "nnet_qnn_window.h"

namespace nnet {

// io_parallel: data[in_height * in_width * n_chan], res[out_height * out_width * n_filt].
template <class data_T, class res_T, typename CONFIG_T>
void qnn_convolution(data_T data[CONFIG_T::in_height * CONFIG_T::in_width * CONFIG_T::n_chan],
                     res_T res[CONFIG_T::out_height * CONFIG_T::out_width * CONFIG_T::n_filt],
                     const typename CONFIG_T::weight_t weights[CONFIG_T::n_filt * CONFIG_T::n_words]) {
// One frame every reuse_factor cycles: everything below unrolls.
#pragma HLS PIPELINE II = CONFIG_T::reuse_factor
#pragma HLS ARRAY_PARTITION variable = weights complete
  for (unsigned oh = 0; oh < CONFIG_T::out_height; oh++) {
    for (unsigned ow = 0; ow < CONFIG_T::out_width; ow++) {
      qnn_operand<CONFIG_T, CONFIG_T::bipolar> operand;
      for (unsigned i = 0; i < CONFIG_T::n_taps; i++) {
        const unsigned row = oh * CONFIG_T::stride_height + i / (CONFIG_T::filt_width * CONFIG_T::n_chan);
        const unsigned column = ow * CONFIG_T::stride_width + i / CONFIG_T::n_chan % CONFIG_T::filt_width;
        if (qnn_geometry<CONFIG_T>::inside(row, column)) {
          operand.put(
              i,
              data[((row - CONFIG_T::pad_top) * CONFIG_T::in_width + column - CONFIG_T::pad_left) * CONFIG_T::n_chan +
                   i % CONFIG_T::n_chan]);
        } else {
          operand.pad(i);
        }
      }
      for (unsigned f = 0; f < CONFIG_T::n_filt; f++) {
        res[(oh * CONFIG_T::out_width + ow) * CONFIG_T::n_filt + f] =
            qnn_value<res_T, CONFIG_T::acc_width>(operand.dot(weights + f * CONFIG_T::n_words));
      }
    }
  }
}

// io_stream: one pixel a beat; one beat of the padded map a turn.
template <class data_T, class res_T, typename CONFIG_T>
void qnn_convolution(hls::stream<data_T>& data, hls::stream<res_T>& res,
                     const typename CONFIG_T::weight_t weights[CONFIG_T::n_filt * CONFIG_T::n_words]) {
  typedef qnn_geometry<CONFIG_T> geometry;
  static_assert(data_T::size == CONFIG_T::n_chan, "qnn_convolution: a pixel is one beat");
  static_assert(res_T::size == CONFIG_T::n_filt, "qnn_convolution: a result is one beat");
#pragma HLS ARRAY_PARTITION variable = weights complete
  qnn_line_buffer<typename data_T::value_type, CONFIG_T> buffer;
  for (unsigned row = 0; row < geometry::padded_height; row++) {
    for (unsigned column = 0; column < geometry::padded_width; column++) {
#pragma HLS LOOP_FLATTEN
#pragma HLS PIPELINE II = CONFIG_T::reuse_factor
      buffer.push(data, column, geometry::inside(row, column));
      if (geometry::complete(row, column)) {
        qnn_operand<CONFIG_T, CONFIG_T::bipolar> operand;
        for (unsigned i = 0; i < CONFIG_T::n_taps; i++) {
#pragma HLS UNROLL
          const unsigned kh = i / (CONFIG_T::filt_width * CONFIG_T::n_chan);
          const unsigned kw = i / CONFIG_T::n_chan % CONFIG_T::filt_width;
          if (geometry::inside(row + 1 - CONFIG_T::filt_height + kh, column + 1 - CONFIG_T::filt_width + kw)) {
            operand.put(i, buffer.at(kh, kw, i % CONFIG_T::n_chan));
          } else {
            operand.pad(i);
          }
        }
        res_T out;
        for (unsigned f = 0; f < CONFIG_T::n_filt; f++) {
#pragma HLS UNROLL
          out[f] =
              qnn_value<typename res_T::value_type, CONFIG_T::acc_width>(operand.dot(weights + f * CONFIG_T::n_words));
        }
        res.write(out);
      }
    }
  }
}

}  // namespace nnet

#endif
