// Two noisy views of the same thing, each a layer of two-point cells with the other one as its context.
#include <cstdio>

#include "apical/nn/two_point.h"

using namespace apical::nn;

int main() {
  torch::manual_seed(1);
  TwoPointOptions options;
  options.inputs = 20, options.cells = 32, options.distal = 32;  // proximal context is on
  options.cell.mtf = apical::kernels::Mtf::tm3;
  TwoPointLayerImpl left("left", options, 1), right("right", options, 1);
  torch::nn::Linear head(64, 4);
  auto parameters = left.parameters();
  for (const auto& more : {right.parameters(), head->parameters()}) parameters.insert(parameters.end(), more.begin(), more.end());
  torch::optim::Adam adam(parameters, 0.01);
  const auto things = torch::randn({4, 20});
  double right_answers = 0, active = 0;
  for (int step = 0; step < 300; ++step) {
    const auto label = torch::randint(4, {64}, torch::kLong);
    const auto r_left = left.receptive(things.index_select(0, label) + 1.5 * torch::randn({64, 20}));
    const auto r_right = right.receptive(things.index_select(0, label) + 1.5 * torch::randn({64, 20}));
    const auto h_left = left.respond(r_left, left.context(shown(r_left), shown(r_right), {}));
    const auto h_right = right.respond(r_right, right.context(shown(r_right), shown(r_left), {}));
    const auto scores = head(torch::cat({h_left, h_right}, 1));
    adam.zero_grad();
    torch::nn::functional::cross_entropy(scores, label).backward();
    adam.step();
    right_answers = scores.argmax(1).eq(label).to(torch::kFloat).mean().item<double>();
    active = (h_left != 0).to(torch::kFloat).mean().item<double>();
  }
  std::printf("%.0f %% right, %.0f %% of the cells send something\n", 100 * right_answers, 100 * active);
  return right_answers > 0.9 ? 0 : 1;
}
