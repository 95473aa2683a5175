// Trainer, optimiser and parity with the torch-free runtime on small networks and drawn digits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apical/base/error.h"
#include "apical/base/thread_pool.h"
#include "apical/data/synthetic.h"
#include "apical/exchange/model.h"
#include "apical/training/allocator.h"
#include "apical/training/finish.h"
#include "apical/training/setup.h"

namespace apical::training {
namespace {

const data::Preprocess normal{{0.13f}, {0.31f}};

nn::Network network(const std::string& neuron = "tau = 2.0", std::uint64_t seed = 1) {
  const std::string toml = "T = 3\n[neuron]\n" + neuron + "\n[[layer]]\ntype='conv'\nchannels=6\nstride=2\n[[layer]]\ntype='norm'\n[[layer]]\ntype='lif'\n[[layer]]\ntype='pool'\n"
                           "[[layer]]\ntype='conv'\nchannels=8\nbias=true\n[[layer]]\ntype='norm'\n[[layer]]\ntype='plif'\n[[layer]]\ntype='flatten'\n[[layer]]\ntype='dropout'\n"
                           "p=0.2\n[[layer]]\ntype='dense'\nunits=20\n[[layer]]\ntype='if'\n[[layer]]\ntype='dense'\nunits=10\n";
  return nn::Network(nn::parse_network(Config::parse(toml, "net"), {1, 28, 28}), seed);
}

class Training : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { prepare_torch(1); }
};

TEST_F(Training, KernelsRunOnTorchsThreads) {
  set_thread_count(2);
  prepare_torch(2);
  std::atomic<int> inside{0};
  parallel_for(0, 100, 1, [&](std::size_t, std::size_t) { inside += at::in_parallel_region(); });
  set_thread_count(1);
  prepare_torch(1);
  EXPECT_EQ(inside, 100);
}

TEST_F(Training, OptimisersAreTorchsOwn) {
  for (const std::string kind : {"adamw", "sgd"}) {
    torch::manual_seed(1);
    std::vector<torch::Tensor> ours{torch::randn({3, 4}).requires_grad_(), torch::randn({5}).requires_grad_()}, theirs;
    for (const auto& p : ours) theirs.push_back(p.detach().clone().requires_grad_());
    OptimizerOptions o;
    o.kind = kind, o.lr = 0.05, o.weight_decay = 0.1;
    FlatOptimizer flat(ours, o);
    std::vector<torch::optim::OptimizerParamGroup> groups;
    for (std::size_t i = 0; i < 2; ++i) {  // no decay of what has one dimension
      const double decay = i == 0 ? 0.1 : 0.0;
      std::unique_ptr<torch::optim::OptimizerOptions> g;
      if (kind == "adamw") g = std::make_unique<torch::optim::AdamWOptions>(torch::optim::AdamWOptions(0.05).weight_decay(decay));
      else g = std::make_unique<torch::optim::SGDOptions>(torch::optim::SGDOptions(0.05).momentum(0.9).weight_decay(decay));
      groups.emplace_back(std::vector<torch::Tensor>{theirs[i]}, std::move(g));
    }
    std::unique_ptr<torch::optim::Optimizer> plain;
    if (kind == "adamw") plain = std::make_unique<torch::optim::AdamW>(groups);
    else plain = std::make_unique<torch::optim::SGD>(groups, torch::optim::SGDOptions(0.05));
    for (int step = 0; step < 5; ++step) {
      const auto loss = [](const std::vector<torch::Tensor>& p) { return (p[0].square() * 3).sum() + (p[1] - 1).pow(4).sum(); };
      flat.zero_grad();
      plain->zero_grad();
      loss(ours).backward();
      loss(theirs).backward();
      flat.step(0.05);
      plain->step();
      for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(torch::allclose(ours[i], theirs[i], 1e-6, 1e-7)) << kind << " " << step;
    }
  }
}

// The most bytes that a forward and backward pass of 40 steps holds above what is held before.
double held_by_a_pass(nn::Network& net, const torch::Tensor& x, const torch::Tensor& grad) {
  const auto before = MemoryMeter::live_bytes();
  MemoryMeter::reset_peak();
  const auto spikes = net->forward({x, 40, false});
  spikes.backward(grad);
  return static_cast<double>(MemoryMeter::peak_bytes() - before);
}

TEST_F(Training, ADenseLayerAndItsNeuronsHoldTwoTensorsOfTheirSize) {  // currents, over which their gradient is written, and spikes
  const std::string toml = "T = 40\n[[layer]]\ntype='flatten'\n[[layer]]\ntype='dense'\nunits=512\n[[layer]]\ntype='lif'\n";
  nn::Network net(nn::parse_network(Config::parse(toml, "net"), {1, 8, 8}), 1);
  const auto x = torch::randn({40 * 50, 1, 8, 8}), grad = torch::randn({40 * 50, 512});  // as large as the spikes
  EXPECT_LT(held_by_a_pass(net, x, grad), 2.3 * static_cast<double>(grad.nbytes()));
}

// In blocks of steps, whose gradients of the weights are summed where they are: the weights, not the neurons, are what is large here.
TEST_F(Training, CurrentsMadeAgainHoldOneGradientOfTheWeights) {
  const std::string toml = "T = 40\nrecompute = true\n[[layer]]\ntype='flatten'\n[[layer]]\ntype='dense'\nunits=200\n[[layer]]\ntype='lif'\n";
  nn::Network net(nn::parse_network(Config::parse(toml, "net"), {1, 64, 64}), 1);
  const auto x = torch::randn({40 * 50, 1, 64, 64}), grad = torch::randn({40 * 50, 200});  // as large as the spikes
  const auto weight = net->parameters()[0];
  EXPECT_LT(held_by_a_pass(net, x, grad), 1.9 * static_cast<double>(grad.nbytes()) + 1.2 * static_cast<double>(weight.nbytes()));
  EXPECT_TRUE(weight.grad().defined());
}

TEST_F(Training, ScheduleRisesAndFalls) {
  OptimizerOptions o;
  o.lr = 1, o.warmup = 0.2;
  EXPECT_NEAR(learning_rate(o, 0, 100), 0.025, 1e-12);
  EXPECT_NEAR(learning_rate(o, 59, 100), 0.5 + 0.5 * std::sin(M_PI * 0.5 / 80), 1e-9);  // half way down
  EXPECT_LT(learning_rate(o, 99, 100), 1e-3);
  o.schedule = "constant";
  EXPECT_EQ(learning_rate(o, 99, 100), 1);
}

TEST_F(Training, LearnsDigitsAndTheRuntimeSaysTheSame) {
  const auto train = data::synthetic("mnist", "train", 1500, 1), test = data::synthetic("mnist", "test", 300, 1);
  for (const std::string neuron : {"tau = 2.0", "tau = 3.0\nreset = 'hard'\ndecay_input = true\nsurrogate = 'atan'"}) {
    auto net = network(neuron);
    const Loader loader(train, {}, normal, 3), held(test, {}, normal, 3);
    TrainOptions o;
    o.epochs = 4, o.batch = 50, o.optimizer.lr = 5e-3;
    Trainer trainer(net, loader, nullptr, o, "", nullptr, "test");
    trainer.run(false);
    ASSERT_EQ(trainer.history().size(), 4u);
    EXPECT_LT(trainer.history().back().loss, 0.7 * trainer.history().front().loss);
    const auto path = std::filesystem::path(::testing::TempDir()) / "trained.safetensors";
    const auto f = finish(net, held, "test", path);
    EXPECT_GT(f.evaluation.accuracy(), 0.6) << neuron;
    EXPECT_EQ(f.parity.samples, 300u);
    EXPECT_LE(f.parity.disagreements.size(), 1u) << neuron;
    EXPECT_LE(f.parity.largest_distance(), 1e-5);
    for (const auto& [layer, rate] : f.evaluation.rates) EXPECT_THAT(rate, ::testing::AllOf(::testing::Gt(0.0), ::testing::Lt(1.0))) << layer;
    std::filesystem::remove(path);
  }
}

TEST_F(Training, ParityFindsAWrongWeight) {  // the check can fail
  const auto test = data::synthetic("mnist", "test", 60, 2);
  auto net = network();
  const Loader loader(test, {}, normal, 3);
  auto graph = net->lower("test");
  graph.encoder = loader.encoder(), graph.preprocess = loader.preprocess(), graph.classes = test.classes;
  const auto evaluation = evaluate(net, loader);
  EXPECT_TRUE(check_parity(net, graph, loader, evaluation).disagreements.empty());
  for (auto& [name, tensor] : graph.tensors)
    for (auto& v : tensor.values) v = -v;
  EXPECT_FALSE(check_parity(net, graph, loader, evaluation).disagreements.empty());
}

TEST_F(Training, ALossThatIsNotFiniteEndsTheRun) {
  const auto train = data::synthetic("mnist", "train", 64, 1);
  const Loader loader(train, {}, {{0.0f}, {1e-30f}}, 3);
  TrainOptions o;
  o.batch = 32, o.optimizer.lr = 1e30, o.optimizer.kind = "sgd", o.optimizer.schedule = "constant";
  try {
    auto net = network();
    Trainer(net, loader, nullptr, o, "", nullptr, "test").run(false);
    FAIL() << "trained on";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::check_failed);
    EXPECT_THAT(e.where(), ::testing::HasSubstr("step "));
  }
}

TEST_F(Training, SettingsAreStrict) {
  const auto refused = [](const std::string& toml) -> std::string {
    try {
      parse_training(Config::parse(toml, "train.toml"), 1);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      return e.what();
    }
    return "accepted";
  };
  using ::testing::HasSubstr;
  EXPECT_EQ(refused("epochs = 2"), "accepted");
  EXPECT_THAT(refused("epoch = 2"), HasSubstr("epochs"));
  EXPECT_THAT(refused("rule = 'stlt'"), HasSubstr("no learning rule"));
  EXPECT_THAT(refused("batch = 0"), HasSubstr("batch >= 1"));
  EXPECT_THAT(refused("loss = 'all'"), HasSubstr("no loss 'all'"));
}

TEST_F(Training, ADamagedCheckpointIsNamed) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "damaged.checkpoint";
  const auto train = data::synthetic("mnist", "train", 32, 1);
  const Loader loader(train, {}, normal, 3);
  TrainOptions o;
  o.epochs = 1, o.batch = 16;
  auto net = network();
  Trainer(net, loader, nullptr, o, path, nullptr, "test").run(false);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 5);
  try {
    auto again = network();
    Trainer(again, loader, nullptr, o, path, nullptr, "test").run(true);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::data);
    EXPECT_THAT(e.where(), ::testing::HasSubstr("damaged.checkpoint"));
  }
  std::filesystem::remove(path);
}

// The flags of the mapping in which an address lies, as the system shows them ("hg": large pages were asked for).
std::string mapping_flags(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  std::uintptr_t begin = 0, end = 0;
  for (std::string line; std::getline(maps, line);) {
    if (std::uintptr_t b = 0, e = 0; std::sscanf(line.c_str(), "%lx-%lx ", &b, &e) == 2) begin = b, end = e;
    if (line.starts_with("VmFlags:") && begin <= at && at < end) return line;
  }
  return "";
}

TEST_F(Training, LargeTensorsAskForLargePages) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage")) GTEST_SKIP() << "this system has no large pages";
  const auto large = torch::empty({16 << 20}, torch::kUInt8);
  EXPECT_THAT(mapping_flags(large.data_ptr<std::uint8_t>() + (8 << 20)), ::testing::HasSubstr(" hg"));
}

}  // namespace
}  // namespace apical::training
