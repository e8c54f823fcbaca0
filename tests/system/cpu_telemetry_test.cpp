// SPDX-License-Identifier: Apache-2.0
#include "src/system/cpu_telemetry.hpp"

#include <algorithm>

#include "tests/system/kernel_fixture.hpp"

namespace bench::system {
namespace {

class CpuTelemetryOf : public KernelFixture {};

// Two cores of three are ours: the third must not be seen.
const std::vector<int> kOurs{0, 2};

// Columns: user nice system idle iowait irq softirq steal guest guest_nice.
constexpr const char* kStatBefore =
    "cpu  0 0 0 0 0 0 0 0 0 0\n"
    "cpu0 100 10 20 1000 5 1 4 50 60 0\n"
    "cpu1 900 0 0 0 0 0 0 0 0 0\n"
    "cpu2 0 0 0 500 0 0 0 0 0 0\n";
// cpu0: +30 user, +5 system, +40 idle, +5 softirq, +20 steal = 100 ticks, 40 of them busy (guest is part of
// user). cpu2: +100 idle. Together: 40 busy, 20 stolen of 200.
constexpr const char* kStatAfter =
    "cpu  0 0 0 0 0 0 0 0 0 0\n"
    "cpu0 130 10 25 1040 5 1 9 70 90 0\n"
    "cpu1 99900 0 0 0 0 0 0 0 0 0\n"
    "cpu2 0 0 0 600 0 0 0 0 0 0\n";

TEST_F(CpuTelemetryOf, ASystemThatTellsNothingIsAllAbsent) {
  CpuTelemetry telemetry(files(), kOurs);
  for (int look = 0; look < 2; ++look) {  // the second has a period, and still nothing to say about it
    const CpuReading r = telemetry.read();
    EXPECT_FALSE(r.cpu_mhz || r.load_1m || r.cpu_utilisation || r.steal_fraction || r.temperature_c);
    EXPECT_FALSE(r.memory_available_bytes);
    EXPECT_FALSE(foreign_fraction(r));
    EXPECT_FALSE(foreign_load(r));
  }
}

TEST_F(CpuTelemetryOf, TheFirstLookHasNoPeriod) {
  write("proc/stat", kStatBefore);
  const CpuReading r = CpuTelemetry(files(), kOurs).read();
  EXPECT_FALSE(r.period_s || r.cpu_utilisation || r.steal_fraction || r.own_cpu_fraction);
}

TEST_F(CpuTelemetryOf, UtilisationAndStealAreThoseOfOurCoresSinceTheLastLook) {
  write("proc/stat", kStatBefore);
  CpuTelemetry telemetry(files(), kOurs);
  telemetry.read();
  write("proc/stat", kStatAfter);
  const CpuReading r = telemetry.read();
  EXPECT_DOUBLE_EQ(r.cpu_utilisation.value(), 40.0 / 200.0);
  EXPECT_DOUBLE_EQ(r.steal_fraction.value(), 20.0 / 200.0);
  EXPECT_GT(r.period_s.value(), 0.0);
  EXPECT_GE(r.own_cpu_fraction.value(), 0.0);
}

TEST_F(CpuTelemetryOf, NothingStolenIsZeroAndNotAbsent) {
  write("proc/stat", "cpu0 0 0 0 0 0 0 0 7\ncpu2 0 0 0 0 0 0 0 0\n");
  CpuTelemetry telemetry(files(), kOurs);
  telemetry.read();
  write("proc/stat", "cpu0 10 0 0 0 0 0 0 7\ncpu2 0 0 0 10 0 0 0 0\n");
  const CpuReading r = telemetry.read();
  EXPECT_EQ(r.steal_fraction, 0.0);
  EXPECT_EQ(r.cpu_utilisation, 0.5);
}

TEST_F(CpuTelemetryOf, CountersThatStandStillOrGoBackAreNotTakenForIdleness) {
  write("proc/stat", kStatAfter);
  CpuTelemetry telemetry(files(), kOurs);
  telemetry.read();
  EXPECT_FALSE(telemetry.read().cpu_utilisation) << "no tick passed";
  write("proc/stat", kStatBefore);  // all smaller: a core that was taken out and put in again
  EXPECT_FALSE(telemetry.read().cpu_utilisation);
}

TEST_F(CpuTelemetryOf, FrequencyIsTheMeanOfOurCores) {
  write("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2000000\n");
  write("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "800000\n");
  write("sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq", "3000000\n");
  write("proc/cpuinfo", "processor : 0\ncpu MHz : 1.0\n");  // the lesser source
  EXPECT_EQ(CpuTelemetry(files(), kOurs).read().cpu_mhz, 2500.0);
}

TEST_F(CpuTelemetryOf, FrequencyComesFromCpuinfoWhereThereIsNoGovernor) {
  write("proc/cpuinfo",
        "processor\t: 0\nmodel name\t: x : 9\ncpu MHz\t\t: 2000.5\n\n"
        "processor\t: 1\ncpu MHz\t\t: 1.0\n\nprocessor\t: 2\ncpu MHz\t\t: 2001.5\n");
  EXPECT_EQ(CpuTelemetry(files(), kOurs).read().cpu_mhz, 2001.0);
}

TEST_F(CpuTelemetryOf, LoadAndMemoryAreRead) {
  write("proc/loadavg", "1.25 0.50 0.10 1/100 4242\n");
  write("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    1000 kB\n");
  CpuTelemetry telemetry(files(), kOurs);
  EXPECT_EQ(telemetry.read().load_1m, 1.25);
  EXPECT_EQ(telemetry.read().memory_available_bytes, 1000 * 1024.0);
  write("sys/fs/cgroup/memory.max", "4096\n");  // a container sees less
  write("sys/fs/cgroup/memory.current", "1024\n");
  EXPECT_EQ(telemetry.read().memory_available_bytes, 3072.0);
}

TEST_F(CpuTelemetryOf, TemperatureIsThatOfTheHottestProcessorSensor) {
  write("sys/class/thermal/thermal_zone0/type", "acpitz\n");  // the board
  write("sys/class/thermal/thermal_zone0/temp", "99000\n");
  write("sys/class/hwmon/hwmon1/name", "coretemp\n");
  write("sys/class/hwmon/hwmon1/temp1_input", "41000\n");
  write("sys/class/hwmon/hwmon1/temp2_input", "52500\n");
  write("sys/class/hwmon/hwmon1/temp2_crit", "100000\n");
  EXPECT_EQ(CpuTelemetry(files(), kOurs).read().temperature_c, 52.5);
  write("sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n");
  write("sys/class/thermal/thermal_zone1/temp", "-1500\n");  // below zero is a temperature too
  EXPECT_EQ(CpuTelemetry(files(), kOurs).read().temperature_c, -1.5);
}

TEST_F(CpuTelemetryOf, MalformedFilesAreAsGoodAsAbsent) {
  write("proc/stat", "cpu0 1 2\ncpu2 a b c d\n");
  write("proc/loadavg", "high\n");
  write("proc/cpuinfo", "processor\ncpu MHz : fast\n: \n");
  CpuTelemetry telemetry(files(), kOurs);
  telemetry.read();
  const CpuReading r = telemetry.read();
  EXPECT_FALSE(r.cpu_mhz || r.load_1m || r.cpu_utilisation || r.steal_fraction);
}

TEST(CpuTicks, NeedEveryCoreAndTellCpu1FromCpu10) {
  EXPECT_FALSE(cpu_ticks("cpu10 1 0 0 0 0 0 0 0\n", {1}).has_value());
  EXPECT_FALSE(cpu_ticks("cpu1 1 0 0 0 0 0 0 0\n", {1, 2}).has_value());
  EXPECT_EQ(cpu_ticks("cpu1 1 0 0 0\n", {1})->busy, 1) << "old kernels have four columns";
}

TEST(ForeignLoad, IsWhatOthersTakeOfOurCores) {
  CpuReading r;
  r.period_s = 1.0;
  r.cpu_utilisation = 0.95;
  r.own_cpu_fraction = 0.50;
  EXPECT_DOUBLE_EQ(foreign_fraction(r).value(), 0.45);
  EXPECT_TRUE(foreign_load(r));
  r.own_cpu_fraction = 0.90;
  EXPECT_FALSE(foreign_load(r)) << "5 % is below the limit of 10 %";
  EXPECT_TRUE(foreign_load(r, 0.01));
  r.own_cpu_fraction = 0.99;  // ticks are coarser than rusage
  EXPECT_EQ(foreign_fraction(r), 0.0);
}

TEST(ForeignLoad, IsNotClaimedWithoutAPeriodThatCanShowIt) {
  CpuReading r;
  r.cpu_utilisation = 1.0;
  EXPECT_FALSE(foreign_load(r)) << "our own share is unknown";
  r.own_cpu_fraction = 0.0;
  EXPECT_FALSE(foreign_load(r)) << "the period is unknown";
  r.period_s = 0.05;  // five ticks a core
  EXPECT_FALSE(foreign_load(r));
  r.period_s = 0.2;
  EXPECT_TRUE(foreign_load(r));
}

TEST(CpuTelemetryHere, KnowsItsCoresAndItsOwnWork) {
  CpuTelemetry telemetry;
  ASSERT_FALSE(telemetry.cpus().empty());
  EXPECT_TRUE(std::ranges::is_sorted(telemetry.cpus()));
  telemetry.read();
  volatile double work = 0.0;
  for (int i = 0; i < 20'000'000; ++i) work = work + 1.0;  // some 0.05 s: getrusage counts finer than that
  const CpuReading r = telemetry.read();
  EXPECT_GT(r.own_cpu_fraction.value(), 0.0);
  EXPECT_LE(r.cpu_utilisation.value_or(0.0) + r.steal_fraction.value_or(0.0), 1.0 + 1e-12);
}

}  // namespace
}  // namespace bench::system
