# SPDX-License-Identifier: Apache-2.0
"""Every operator as a call of its HLS C++ template, one a file, named as the operators."""
