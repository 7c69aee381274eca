// SPDX-License-Identifier: Apache-2.0
// Max pooling of codes; padding never wins. A channel with its complement set is flipped afterwards (x -> flip - x),
// which turns a maximum of flipped codes into the minimum of the codes themselves.
//
// CONFIG_T: geometry as in nnet_qnn_window.h; code_width and code_signed; flip = smallest + greatest code.
#ifndef NNET_QNN_POOL_H_
#define NNET_QNN_POOL_H_

#include "hls_stream.h"
#include "nnet_qnn_codes.h"
#include "nnet_qnn_window.h"

namespace nnet {

// Running maximum of one channel.
template <class CONFIG_T>
class qnn_maximum {
 public:
  qnn_maximum() : empty(true), best(0) {}

  template <class T>
  void take(const T& x) {
#pragma HLS INLINE
    const ap_int<CONFIG_T::code_width + 1> code = qnn_code<CONFIG_T::code_width, CONFIG_T::code_signed>(x);
    if (empty || code > best) {
      best = code;
    }
    empty = false;
  }

  template <class res_T>
  res_T result(bool complement) const {
#pragma HLS INLINE
    const ap_int<CONFIG_T::code_width + 1> code =
        complement ? ap_int<CONFIG_T::code_width + 1>(CONFIG_T::flip - best) : best;
    return qnn_value<res_T, CONFIG_T::code_width>(code);
  }

 private:
  bool empty;
  ap_int<CONFIG_T::code_width + 1> best;
};

// io_parallel: data[in_height * in_width * n_chan], res[out_height * out_width * n_chan].
template <class data_T, class res_T, typename CONFIG_T>
void qnn_pool(data_T data[CONFIG_T::in_height * CONFIG_T::in_width * CONFIG_T::n_chan],
              res_T res[CONFIG_T::out_height * CONFIG_T::out_width * CONFIG_T::n_chan],
              const typename CONFIG_T::complement_t complement[CONFIG_T::n_chan]) {
#pragma HLS PIPELINE
#pragma HLS ARRAY_PARTITION variable = complement complete
  for (unsigned oh = 0; oh < CONFIG_T::out_height; oh++) {
    for (unsigned ow = 0; ow < CONFIG_T::out_width; ow++) {
      for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
        qnn_maximum<CONFIG_T> best;
        for (unsigned i = 0; i < CONFIG_T::filt_height * CONFIG_T::filt_width; i++) {
          const unsigned row = oh * CONFIG_T::stride_height + i / CONFIG_T::filt_width;
          const unsigned column = ow * CONFIG_T::stride_width + i % CONFIG_T::filt_width;
          if (qnn_geometry<CONFIG_T>::inside(row, column)) {
            best.take(
                data[((row - CONFIG_T::pad_top) * CONFIG_T::in_width + column - CONFIG_T::pad_left) * CONFIG_T::n_chan +
                     c]);
          }
        }
        res[(oh * CONFIG_T::out_width + ow) * CONFIG_T::n_chan + c] = best.template result<res_T>(complement[c] != 0);
      }
    }
  }
}

// io_stream: one pixel a beat; one beat of the padded map a turn.
template <class data_T, class res_T, typename CONFIG_T>
void qnn_pool(hls::stream<data_T>& data, hls::stream<res_T>& res,
              const typename CONFIG_T::complement_t complement[CONFIG_T::n_chan]) {
  typedef qnn_geometry<CONFIG_T> geometry;
  static_assert(data_T::size == CONFIG_T::n_chan, "qnn_pool: a pixel is one beat");
  static_assert(res_T::size == CONFIG_T::n_chan, "qnn_pool: a result is one beat");
#pragma HLS ARRAY_PARTITION variable = complement complete
  qnn_line_buffer<typename data_T::value_type, CONFIG_T> buffer;
  for (unsigned row = 0; row < geometry::padded_height; row++) {
    for (unsigned column = 0; column < geometry::padded_width; column++) {
#pragma HLS LOOP_FLATTEN
#pragma HLS PIPELINE
      buffer.push(data, column, geometry::inside(row, column));
      if (geometry::complete(row, column)) {
        res_T out;
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
#pragma HLS UNROLL
          qnn_maximum<CONFIG_T> best;
          for (unsigned i = 0; i < CONFIG_T::filt_height * CONFIG_T::filt_width; i++) {
#pragma HLS UNROLL
            const unsigned kh = i / CONFIG_T::filt_width, kw = i % CONFIG_T::filt_width;
            if (geometry::inside(row + 1 - CONFIG_T::filt_height + kh, column + 1 - CONFIG_T::filt_width + kw)) {
              best.take(buffer.at(kh, kw, c));
            }
          }
          out[c] = best.template result<typename res_T::value_type>(complement[c] != 0);
        }
        res.write(out);
      }
    }
  }
}

}  // namespace nnet

#endif
