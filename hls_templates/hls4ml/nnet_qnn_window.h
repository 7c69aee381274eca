// SPDX-License-Identifier: Apache-2.0
// Windows of a map that arrives one pixel a beat (io_stream): line buffer for convolution and max pooling.
#ifndef NNET_QNN_WINDOW_H_
#define NNET_QNN_WINDOW_H_

#include "hls_stream.h"

namespace nnet {

// Geometry of a sliding window with padding.
// CONFIG_T: in_height, in_width, n_chan, filt_height, filt_width, stride_height, stride_width, pad_top, pad_bottom,
// pad_left, pad_right, out_height, out_width.
template <class CONFIG_T>
struct qnn_geometry {
  static const unsigned padded_height = CONFIG_T::in_height + CONFIG_T::pad_top + CONFIG_T::pad_bottom;
  static const unsigned padded_width = CONFIG_T::in_width + CONFIG_T::pad_left + CONFIG_T::pad_right;

  // Whether a pixel of the padded map is one of the map.
  static bool inside(unsigned row, unsigned column) {
#pragma HLS INLINE
    return row >= CONFIG_T::pad_top && row < CONFIG_T::pad_top + CONFIG_T::in_height && column >= CONFIG_T::pad_left &&
           column < CONFIG_T::pad_left + CONFIG_T::in_width;
  }

  // Whether the window whose last pixel is (row, column) belongs to an output pixel.
  static bool complete(unsigned row, unsigned column) {
#pragma HLS INLINE
    return row + 1 >= CONFIG_T::filt_height && (row + 1 - CONFIG_T::filt_height) % CONFIG_T::stride_height == 0 &&
           column + 1 >= CONFIG_T::filt_width && (column + 1 - CONFIG_T::filt_width) % CONFIG_T::stride_width == 0;
  }
};

// The last filt_height - 1 rows and the current window; T: type of one value.
template <class T, class CONFIG_T>
class qnn_line_buffer {
 public:
  qnn_line_buffer() {
#pragma HLS ARRAY_PARTITION variable = lines complete dim = 1
#pragma HLS ARRAY_PARTITION variable = lines complete dim = 3
#pragma HLS ARRAY_PARTITION variable = window complete dim = 0
  }

  // Shift one pixel of the padded map in; `read`: it is a pixel of the map and comes from the stream.
  template <class data_T>
  void push(hls::stream<data_T>& data, unsigned column, bool read) {
#pragma HLS INLINE
    data_T beat;
    if (read) {
      beat = data.read();
    }
    for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
#pragma HLS UNROLL
      T pixel = read ? T(beat[c]) : T(0);
      for (unsigned i = CONFIG_T::filt_height; i > 0; i--) {
#pragma HLS UNROLL
        const unsigned row = i - 1;
        for (unsigned j = 0; j + 1 < CONFIG_T::filt_width; j++) {
#pragma HLS UNROLL
          window[row][j][c] = window[row][j + 1][c];
        }
        window[row][CONFIG_T::filt_width - 1][c] = pixel;
        if (row > 0) {  // the line above takes this pixel and gives up the one it had here
          const T above = lines[row - 1][column][c];
          lines[row - 1][column][c] = pixel;
          pixel = above;
        }
      }
    }
  }

  const T& at(unsigned row, unsigned column, unsigned channel) const {
#pragma HLS INLINE
    return window[row][column][channel];
  }

 private:
  T lines[CONFIG_T::filt_height][qnn_geometry<CONFIG_T>::padded_width][CONFIG_T::n_chan];
  T window[CONFIG_T::filt_height][CONFIG_T::filt_width][CONFIG_T::n_chan];
};

}  // namespace nnet

#endif
