# SPDX-License-Identifier: Apache-2.0
"""Side by side with larq, which runs on tf-keras: `make test-peers` makes the environment and runs this folder.

Without larq (the ordinary environment) nothing here is collected.
"""

import importlib.util
import os

# Before anything imports TensorFlow: tf.keras, which larq uses, is then tf-keras; `import keras` stays Keras 3.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["KERAS_BACKEND"] = "tensorflow"

collect_ignore_glob = [] if importlib.util.find_spec("larq") else ["test_*.py"]
