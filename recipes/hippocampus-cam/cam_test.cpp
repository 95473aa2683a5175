// The memory against its description: what a cell does with one spike, the paper's tests, both forms, what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/brain/network.h"
#include "recipes/hippocampus-cam/hopfield.h"
#include "recipes/hippocampus-cam/study.h"

namespace apical::cam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Options sized(std::uint32_t cues, std::uint32_t content, double inhibition = 1000) {
  Options o;
  o.cues = cues, o.content = content, o.cue_inhibition = inhibition;
  return o;
}

// Spikes of one cell of the circuit that is given weights (nA), all at once.
std::size_t spikes_after(Population which, const std::vector<double>& weights) {
  const auto cells = circuit(sized(5, 10)).cells[which];
  brain::Network net({.dt = 1, .double_precision = true});
  const auto cell = net.create("if_curr_exp", 1,
                               {{"E_L", kRest},
                                {"V_reset", kRest},
                                {"V_m", kRest},
                                {"V_th", cells.v_th},
                                {"C_m", 1000 * cells.C},
                                {"tau_m", cells.tau_m},
                                {"tau_syn_ex", kTauSyn},
                                {"tau_syn_in", kTauSyn},
                                {"t_ref", kRefractory}});
  for (const double w : weights) net.connect(brain::SpikeGenerator{{5}}, cell, 1000 * w);
  const auto& spikes = net.record_spikes(cell);
  net.simulate(30);
  return spikes.size();
}

TEST(Cell, ThreeInequalitiesTheDesignRestsOn) {
  for (const auto cells : {cue_cue, cont_cond}) {  // slow, fast
    EXPECT_EQ(spikes_after(cells, {6}), 1u);
    EXPECT_EQ(spikes_after(cells, {2}), 0u);
    EXPECT_EQ(spikes_after(cells, {9, -6}), 0u);
    EXPECT_EQ(spikes_after(cells, {9, -6, 2}), 1u);
  }
}

TEST(Cell, ThreeInputsInARowGiveTwoSpikes) {
  SpikingCam cam(sized(2, 2));
  std::vector<std::int64_t> times;
  for (const auto& s : cam.run({Operation::learn(0, 1, {0})}).spikes)
    if (s.population == cue_cue) times.push_back(s.time);
  EXPECT_THAT(times, ElementsAre(1, 3));
}

class Inhibition : public testing::TestWithParam<double> {};

TEST_P(Inhibition, FunctionalTestSpikeBySpike) {
  const Options o = sized(5, 10, GetParam());
  const auto operations = functional_operations();
  const auto b = run_both(o, operations);
  EXPECT_EQ(b.different, 0u);
  EXPECT_EQ(b.clock.answers, expected_answers(operations, o));
  std::vector<Spike> shown;
  std::copy_if(b.clock.spikes.begin(), b.clock.spikes.end(), std::back_inserter(shown),
               [](const Spike& s) { return s.population == output; });
  EXPECT_EQ(shown, expected_output(operations, o));
}

INSTANTIATE_TEST_SUITE_P(OfCues, Inhibition, testing::Values(1000.0, 30.0));

TEST(Cam, AnswersAreThoseOfTheCard) {
  const auto answers = expected_answers(functional_operations(), sized(5, 10));
  EXPECT_THAT(answers, ElementsAre(IsEmpty(), IsEmpty(), IsEmpty(), ElementsAre(0, 1, 8, 9), ElementsAre(3, 4), ElementsAre(0, 3),
                                   IsEmpty(), ElementsAre(1, 3, 4, 8), ElementsAre(4)));
}

TEST(Cam, MapAndStress) {
  for (const double inhibition : {1000.0, 6.0}) {
    const Options o = sized(16, 6, inhibition);
    const auto b = run_both(o, map_operations());
    EXPECT_EQ(b.different, 0u);
    EXPECT_EQ(b.clock.answers, expected_answers(map_operations(), o));
  }
  const auto b = run_both(sized(5, 10), stress_operations());
  EXPECT_EQ(stress_operations().size(), 30u);
  EXPECT_EQ(b.different, 0u);
  EXPECT_EQ(b.clock.answers, expected_answers(stress_operations(), sized(5, 10)));
}

TEST(Cam, OneOperationAtATime) {
  SpikingCam cam(sized(4, 8));
  cam.learn(2, {1, 5});
  cam.learn(3, {5, 6});
  EXPECT_THAT(cam.recall_by_cue(2), ElementsAre(1, 5));
  EXPECT_THAT(cam.recall_by_content({5}), ElementsAre(2, 3));
  cam.learn(2, {0});
  EXPECT_THAT(cam.recall_by_cue(2), ElementsAre(0));
  EXPECT_THAT(cam.recall_by_content({5}), ElementsAre(3));
  EXPECT_THAT(cam.recall_by_content({1}), IsEmpty());
  EXPECT_EQ(cam.time(), 160);
  const auto w = cam.forward();
  EXPECT_GT(w[2 * 8 + 0], 5.9);
  EXPECT_LT(w[2 * 8 + 5], 0.1);
  EXPECT_LT(cam.backward()[5 * 4 + 2], 3.28);  // cannot fire a cell alone
}

TEST(Cam, BothFormsAgreeOnRandomSequencesForAnyNumberOfThreads) {
  for (const double inhibition : {1000.0, 6.0}) {
    const Options o = sized(16, 32, inhibition);
    const auto operations = random_operations(o, 100, {.density = 0.25, .spacing = 14, .unions = true}, 7);
    std::vector<cam::Run> runs;
    for (const int threads : {1, 2, 7}) {
      set_thread_count(threads);
      const auto b = run_both(o, operations);
      EXPECT_EQ(b.different, 0u);
      runs.push_back(b.clock);
    }
    set_thread_count(1);
    EXPECT_EQ(runs[0].spikes, runs[1].spikes);
    EXPECT_EQ(runs[0].spikes, runs[2].spikes);
    EXPECT_GT(runs[0].spikes.size(), 1000u);
  }
}

TEST(Cam, WithoutTheTieOverwritingDoesNotErase) {
  for (const bool tie : {true, false}) {
    Options o = sized(5, 10);
    o.tie_depression = tie;
    const std::vector<Operation> operations{Operation::learn(0, 0, {1, 2}), Operation::learn(20, 0, {3}), Operation::by_cue(40, 0)};
    const auto b = run_both(o, operations);
    EXPECT_EQ(b.different, 0u);
    EXPECT_EQ(b.clock.answers[2] == Neurons{3}, tie);
  }
}

TEST(Cam, DamageIsFeltAndRepeats) {
  Options o = sized(16, 32);
  const auto operations = random_operations(o, 60, {.unions = true}, 3);
  const auto whole = EventCam(o).run(operations);
  o.spike_loss = 0.2;
  const auto lost = EventCam(o).run(operations);
  EXPECT_LT(lost.spikes.size(), whole.spikes.size());
  EXPECT_EQ(lost.spikes, EventCam(o).run(operations).spikes);
  o.spike_loss = 0, o.weight_noise = 0.2;
  EXPECT_NE(EventCam(o).run(operations).spikes, whole.spikes);
}

std::string refused(const std::vector<Operation>& operations) {
  for (const bool engine : {true, false}) try {
      if (engine)
        SpikingCam(sized(5, 10)).run(operations);
      else
        EventCam(sized(5, 10)).run(operations);
      return "not refused";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      if (!engine) return e.what();
    }
  return "";
}

TEST(Cam, RefusesWithTheNumberOfTheOperation) {
  const auto good = Operation::learn(0, 0, {1});
  EXPECT_THAT(refused({good, Operation::by_cue(20, 5)}), HasSubstr("operation 2: there is no cue 5"));
  EXPECT_THAT(refused({good, Operation::by_content(20, {3, 10})}), HasSubstr("operation 2: there is no content neuron 10"));
  EXPECT_THAT(refused({good, good, Operation::by_cue(20, 5)}), HasSubstr("operation 2: comes 0 ms after the one before"));
  EXPECT_THAT(refused({{Operation::Kind::learn, 0, {0, 1}, {1}, 3}}), HasSubstr("operation 1: 2 cues in one learn"));
  EXPECT_THAT(refused({Operation::learn(0, 1, {})}), HasSubstr("operation 1: there is no content to learn"));
  EXPECT_THAT(refused({Operation::by_content(0, {})}), HasSubstr("operation 1: a recall needs a cue or content"));
  EXPECT_THAT(refused({good, Operation::by_cue(6, 0)}),
              AllOf(HasSubstr("operation 2: comes 6 ms after"), HasSubstr("At least 7 ms after a learn")));
  EXPECT_THAT(refused({Operation::by_cue(0, 0), Operation::by_cue(5, 0)}), HasSubstr("At least 6 ms after a recall"));
  EXPECT_THAT(refused({Operation::by_content(0, {2, 2})}), HasSubstr("operation 1: content neuron 2 stands twice"));
}

class OpFile : public testing::Test {
 protected:
  std::string file(const std::string& text) {
    const auto path = testing::TempDir() + "/operations.json";
    std::ofstream(path) << text;
    return path;
  }
  std::string error(const std::string& text) {
    try {
      read_operations(file(text), sized(5, 10), 20);
    } catch (const Error& e) {
      return e.what();
    }
    return "not refused";
  }
};

TEST_F(OpFile, IsReadWithTimesOrWithout) {
  const auto all = read_operations(
      file(R"([{"op":"learn","cue":0,"content":[3,1]},{"op":"recall","cue":0},{"op":"recall","time":50,"content":1}])"), sized(5, 10), 20);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_THAT(all[0].content, ElementsAre(1, 3));
  EXPECT_EQ(all[0].pulses, 3);
  EXPECT_EQ(all[1].time, 20);
  EXPECT_EQ(all[2].kind, Operation::Kind::by_content);
  EXPECT_EQ(all[2].time, 50);
}

TEST_F(OpFile, RefusesWhatItDoesNotUnderstand) {
  EXPECT_THAT(error("{"), HasSubstr("JSON list"));
  EXPECT_THAT(error(R"([{"op":"learn","cue":0,"content":[1]},{"op":"forget","cue":0}])"),
              HasSubstr("operation 2: there is no op 'forget'"));
  EXPECT_THAT(error(R"([{"op":"learn","cue":[0,1],"content":[1]}])"), HasSubstr("operation 1: 2 cues in one learn"));
  EXPECT_THAT(error(R"([{"op":"learn","cue":0,"contents":[1]}])"), HasSubstr("Did you mean 'content'?"));
  EXPECT_THAT(error(R"([{"op":"learn","cue":0,"content":[-1]}])"), HasSubstr("operation 1: content is no whole number"));
  EXPECT_THAT(error(R"([{"op":"learn","cue":0,"content":[1],"time":1e9}])"), HasSubstr("operation 1: time is no whole number"));
  EXPECT_THAT(error(R"([{"op":"recall"}])"), HasSubstr("operation 1: a recall needs a cue or content"));
  EXPECT_THAT(error(R"([{"op":"recall","cue":1,"content":[1]}])"), HasSubstr("not by both"));
  EXPECT_THAT(error("[3]"), HasSubstr("operation 1: is no JSON object"));
}

TEST(Hopfield, RecallsAFewPatterns) {
  ClassicalHopfield classical(8, 32, 0.25);
  ModernHopfield modern(8, 32);
  for (Hopfield* net : {static_cast<Hopfield*>(&classical), static_cast<Hopfield*>(&modern)}) {
    net->learn(1, {0, 1, 2, 3, 4, 5});
    net->learn(6, {10, 11, 12, 13, 14, 15});
    EXPECT_THAT(net->recall_by_cue(6), ElementsAre(10, 11, 12, 13, 14, 15));
    EXPECT_EQ(net->recall_by_content({0, 2, 4}), 1u);
    EXPECT_EQ(net->recall_by_content({13, 15}), 6u);
    EXPECT_GT(net->macs(), 0u);
  }
}

}  // namespace
}  // namespace apical::cam
