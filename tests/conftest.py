# SPDX-License-Identifier: Apache-2.0
"""Settings that must stand before anything imports TensorFlow, and before anything is started."""

import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# A job in the background of a shell inherits Ctrl-C ignored, and so would everything that is started and interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)
