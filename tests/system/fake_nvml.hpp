// SPDX-License-Identifier: Apache-2.0
// The state of the pretended NVML library, exported by it as `fake_nvml_state` for the test to set and read.
#pragma once

struct FakeNvmlState {
  int init_code = 0;  // what nvmlInit_v2 answers
  unsigned devices = 2;
  unsigned long long reasons = 0;
  int utilisation_code = 0;  // 3: NOT_SUPPORTED, as a device cut into instances answers
  int inits = 0, shutdowns = 0;
};
