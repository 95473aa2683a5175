#include "apical/runtime/c_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <thread>

#include "apical/base/files.h"
#include "apical/exchange/model.h"
#include "apical/runtime/integer_session.h"
#include "apical/runtime/session.h"
#include "apical/runtime/testing_nets.h"

namespace apical::runtime {
namespace {

using ::testing::HasSubstr, ::testing::StrEq;

// The small network as a file, as a model, and as a session; in float32 (0 bits) and in integers.
class CApi : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(::testing::TempDir()) / ("apical-c-api-" + std::to_string(::getpid()) + ".safetensors");
    exchange::save_model(path_, graph_);
    ASSERT_EQ(apical_model_load(path_.c_str(), &model_), APICAL_OK) << apical_last_error();
    ASSERT_EQ(apical_session_new(model_, &session_), APICAL_OK);
  }
  void TearDown() override {
    apical_session_free(session_);
    apical_model_free(model_);
    std::filesystem::remove(path_);
  }

  Result expected(const std::vector<float>& frames) const {
    return graph_.integer ? IntegerSession(graph::integer_network(graph_)).run(frames) : Session(graph_).run(frames);
  }

  const graph::Graph graph_ = [] {
    const graph::Graph g = apical::testing::small_net();
    return GetParam() ? apical::testing::quantised(g, apical::testing::random_frames(g, 3, true), GetParam()) : g;
  }();
  const std::size_t frame_ = 2 * 9 * 7;
  std::filesystem::path path_;
  apical_model* model_ = nullptr;
  apical_session* session_ = nullptr;
};

TEST_P(CApi, SaysWhatTheModelIs) {
  std::size_t dimensions = 0;
  const std::size_t* shape = apical_model_input_shape(model_, &dimensions);
  EXPECT_EQ(std::vector<std::size_t>(shape, shape + dimensions), (std::vector<std::size_t>{2, 9, 7}));
  EXPECT_EQ(apical_model_frame_size(model_), frame_);
  EXPECT_EQ(apical_model_steps(model_), 5u);
  EXPECT_EQ(apical_model_outputs(model_), 3u);
  EXPECT_EQ(apical_model_bits(model_), GetParam());
  EXPECT_THAT(apical_model_name(model_), StrEq("small"));
  EXPECT_THAT(apical_model_class_name(model_, 2), StrEq("c"));
  EXPECT_EQ(apical_model_class_name(model_, 3), nullptr);
  EXPECT_EQ(apical_c_api_version(), APICAL_C_API_VERSION);
  EXPECT_EQ(apical_c_api_minor_version(), APICAL_C_API_MINOR_VERSION);
  EXPECT_THAT(apical_version(), HasSubstr("."));
}

TEST_P(CApi, GivesTheScoresOfTheSession) {
  const auto frames = apical::testing::random_frames(graph_, 3, false);
  const Result expected = this->expected(frames);
  std::vector<float> scores(3), stepped(3);
  std::size_t predicted = 9;
  ASSERT_EQ(apical_session_run(session_, frames.data(), frames.size(), scores.data(), 3, &predicted), APICAL_OK);
  EXPECT_EQ(scores, expected.scores);
  EXPECT_EQ(predicted, static_cast<std::size_t>(expected.predicted));
  apical_model_free(model_);  // a session lives on without it
  model_ = nullptr;
  std::filesystem::remove(path_);
  ASSERT_EQ(apical_session_reset(session_), APICAL_OK);
  for (std::size_t t = 0; t < 5; ++t) ASSERT_EQ(apical_session_step(session_, frames.data() + t * frame_, frame_), APICAL_OK);
  ASSERT_EQ(apical_session_scores(session_, stepped.data(), 3), APICAL_OK);
  EXPECT_EQ(stepped, expected.scores);
  EXPECT_EQ(apical_session_run(session_, frames.data(), frames.size(), scores.data(), 3, nullptr), APICAL_OK);
}

TEST_P(CApi, RefusesNulls) {
  const std::vector<float> frame(frame_);
  float scores[3] = {7, 7, 7};
  apical_model* model = model_;
  apical_session* session = session_;
  EXPECT_EQ(apical_model_load(nullptr, &model), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(model, nullptr);
  EXPECT_EQ(apical_model_load(path_.c_str(), nullptr), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(apical_session_new(nullptr, &session), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(session, nullptr);
  EXPECT_EQ(apical_session_new(model_, nullptr), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(apical_session_reset(nullptr), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(apical_session_step(nullptr, frame.data(), frame_), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(apical_session_step(session_, nullptr, frame_), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(apical_session_scores(nullptr, scores, 3), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(apical_session_scores(session_, nullptr, 3), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(apical_session_run(nullptr, frame.data(), frame_, scores, 3, nullptr), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(apical_session_run(session_, nullptr, frame_, scores, 3, nullptr), APICAL_ERROR_ARGUMENT);
  EXPECT_EQ(apical_session_run(session_, frame.data(), frame_, nullptr, 3, nullptr), APICAL_ERROR_ARGUMENT);
  EXPECT_THAT(apical_last_error(), HasSubstr("scores"));
  EXPECT_EQ(scores[0], 7);
  std::size_t dimensions = 9;
  EXPECT_EQ(apical_model_input_shape(nullptr, &dimensions), nullptr);
  EXPECT_EQ(dimensions, 0u);
  EXPECT_NE(apical_model_input_shape(model_, nullptr), nullptr);
  EXPECT_EQ(apical_model_frame_size(nullptr) + apical_model_steps(nullptr) + apical_model_outputs(nullptr), 0u);
  EXPECT_EQ(apical_model_bits(nullptr), 0);
  EXPECT_EQ(apical_model_name(nullptr), nullptr);
  EXPECT_EQ(apical_model_class_name(nullptr, 0), nullptr);
  apical_model_free(nullptr);
  apical_session_free(nullptr);
}

TEST_P(CApi, RefusesOtherSizesAndScoresOfNothing) {
  const std::vector<float> frames(5 * frame_, 1.0f);
  float scores[4] = {7, 7, 7, 7};
  EXPECT_EQ(apical_session_scores(session_, scores, 3), APICAL_ERROR_ARGUMENT);
  EXPECT_THAT(apical_last_error(), HasSubstr("first step"));
  for (const std::size_t n : {std::size_t{0}, frame_ - 1, frame_ + 1, 2 * frame_}) {
    EXPECT_EQ(apical_session_step(session_, frames.data(), n), APICAL_ERROR_SIZE);
    EXPECT_THAT(apical_last_error(), HasSubstr("126 floats, not " + std::to_string(n)));
  }
  for (const std::size_t n : {std::size_t{0}, frame_ - 1, 2 * frame_ + 1})
    EXPECT_EQ(apical_session_run(session_, frames.data(), n, scores, 3, nullptr), APICAL_ERROR_SIZE);
  EXPECT_EQ(apical_session_run(session_, frames.data(), frames.size(), scores, 4, nullptr), APICAL_ERROR_SIZE);
  ASSERT_EQ(apical_session_step(session_, frames.data(), frame_), APICAL_OK);
  EXPECT_EQ(apical_session_scores(session_, scores, 2), APICAL_ERROR_SIZE);
  EXPECT_EQ(scores[0], 7);
}

TEST_P(CApi, RefusesFilesThatAreNoModel) {
  apical_model* model = model_;
  EXPECT_EQ(apical_model_load("/no/such/model.safetensors", &model), APICAL_ERROR_FILE);
  EXPECT_EQ(model, nullptr);
  EXPECT_THAT(apical_last_error(), HasSubstr("/no/such/model.safetensors"));
  const auto bytes = read_file(path_);
  const std::string whole(bytes.begin(), bytes.end());
  const auto refused = [&](const std::string& content, const char* word) {
    write_file(path_, content);
    EXPECT_EQ(apical_model_load(path_.c_str(), &model), APICAL_ERROR_FILE) << word;
    EXPECT_THAT(apical_last_error(), ::testing::AllOf(HasSubstr(path_.string()), HasSubstr(word)));
  };
  refused("", "byte 0");
  refused(whole.substr(0, whole.size() - 8), "byte");
  std::string other = whole;
  other.replace(other.find("\\\"schema\\\": 1"), 13, "\\\"schema\\\": 9");
  refused(other, "schema");
  other = whole;
  const float inf = INFINITY;
  other.replace(other.size() - 4, 4, reinterpret_cast<const char*>(&inf), 4);
  refused(other, GetParam() ? "lie within" : "finite");
  EXPECT_EQ(apical_model_load("/", &model), APICAL_ERROR_FILE);
  std::thread([] { EXPECT_THAT(apical_last_error(), StrEq("")) << "each thread has its own"; }).join();
}

TEST_P(CApi, NanSilencesUntilReset) {
  std::vector<float> frames = apical::testing::random_frames(graph_, 4, true), poisoned(frame_, NAN);
  float before[3], after[3];
  ASSERT_EQ(apical_session_run(session_, frames.data(), frames.size(), before, 3, nullptr), APICAL_OK);
  ASSERT_EQ(apical_session_step(session_, poisoned.data(), frame_), APICAL_OK);
  ASSERT_EQ(apical_session_run(session_, frames.data(), frames.size(), after, 3, nullptr), APICAL_OK);
  EXPECT_THAT(after, ::testing::ElementsAreArray(before));
}

TEST_P(CApi, TwoThreadsInOneSessionAreToldApart) {
  const std::vector<float> once = apical::testing::random_frames(graph_, 3, false);
  std::vector<float> frames;  // long enough to be met
  for (int i = 0; i < 20; ++i) frames.insert(frames.end(), once.begin(), once.end());
  std::vector<float> expected(3);
  ASSERT_EQ(apical_session_run(session_, frames.data(), frames.size(), expected.data(), 3, nullptr), APICAL_OK);
  std::atomic<bool> met{false};
  std::thread other([&] {
    std::vector<float> scores(3);
    while (!met) {  // until both were inside at once
      const apical_status s = apical_session_run(session_, frames.data(), frames.size(), scores.data(), 3, nullptr);
      if (s == APICAL_ERROR_BUSY)
        met = true;
      else
        ASSERT_EQ(scores, expected) << "nobody disturbed it";
    }
  });
  while (!met) {
    const apical_status s = apical_session_step(session_, frames.data(), frame_);
    if (s == APICAL_ERROR_BUSY) {
      EXPECT_THAT(apical_last_error(), HasSubstr("another thread"));
      met = true;
    }
  }
  other.join();
  std::vector<float> scores(3);
  ASSERT_EQ(apical_session_run(session_, frames.data(), frames.size(), scores.data(), 3, nullptr), APICAL_OK) << "it is free again";
  EXPECT_EQ(scores, expected);
}

TEST_P(CApi, NamesTheFileOfANetworkThatDoesNotFitIntegers) {
  graph::Graph g = graph_;
  std::get<graph::Neuron>(g.nodes[2].op).lif.v_th = 1e-9f;  // less than a unit of the membrane
  exchange::save_model(path_, g);
  apical_model* model = nullptr;
  EXPECT_EQ(apical_model_load(path_.c_str(), &model), g.integer ? APICAL_ERROR_FILE : APICAL_OK);
  if (g.integer) {
    EXPECT_THAT(apical_last_error(), ::testing::AllOf(HasSubstr(path_.string()), HasSubstr("'n1'"), HasSubstr("threshold")));
  }
  apical_model_free(model);
}

INSTANTIATE_TEST_SUITE_P(Bits, CApi, ::testing::Values(0, 8, 4));

}  // namespace
}  // namespace apical::runtime
