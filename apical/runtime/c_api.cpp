#include "apical/runtime/c_api.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <new>
#include <variant>

#include "apical/base/error.h"
#include "apical/base/machine.h"
#include "apical/exchange/model.h"
#include "apical/graph/integer.h"
#include "apical/runtime/integer_program.h"
#include "apical/runtime/program.h"

namespace {

using apical::runtime::IntegerProgram, apical::runtime::IntegerSession, apical::runtime::Program, apical::runtime::Session;
using AnyProgram = std::variant<std::shared_ptr<const Program>, std::shared_ptr<const IntegerProgram>>;
using AnySession = std::variant<Session, IntegerSession>;

AnySession session_of(const AnyProgram& program) {
  if (const auto* integer = std::get_if<1>(&program)) return IntegerSession(*integer);
  return Session(std::get<0>(program));
}

}  // namespace

struct apical_model {
  AnyProgram program;
  int bits;
  std::size_t frame_size, steps, outputs;
  std::string name;
  std::vector<std::string> classes;
  std::vector<std::size_t> shape;
};

struct apical_session {
  explicit apical_session(const apical_model& m) : session(session_of(m.program)), frame_size(m.frame_size), outputs(m.outputs) {}
  void reset() { std::visit([](auto& s) { s.reset(); }, session); }
  void step(const float* frame) { std::visit([&](auto& s) { s.step({frame, frame_size}); }, session); }
  int steps() const { return std::visit([](const auto& s) { return s.steps(); }, session); }
  std::span<const float> scores() const { return std::visit([](const auto& s) { return s.scores(); }, session); }
  AnySession session;
  std::size_t frame_size, outputs;
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
};

namespace {

thread_local char last_error[1024] = "";

apical_status fail(apical_status status, const char* text) noexcept {
  std::snprintf(last_error, sizeof last_error, "%s", text);
  return status;
}

apical_status wrong_size(const char* what, std::size_t wanted, std::size_t given) noexcept {
  std::snprintf(last_error, sizeof last_error, "%s has %zu floats, not %zu", what, wanted, given);
  return APICAL_ERROR_SIZE;
}

// Whatever is thrown ends here.
template <class Body>
apical_status guarded(const Body& body) noexcept {
  try {
    return body();
  } catch (const apical::Error& e) {
    return fail(e.code() == apical::ExitCode::data ? APICAL_ERROR_FILE : APICAL_ERROR_INTERNAL, e.what());
  } catch (const std::bad_alloc&) {
    return fail(APICAL_ERROR_MEMORY, "not enough memory");
  } catch (const std::exception& e) {
    return fail(APICAL_ERROR_INTERNAL, e.what());
  } catch (...) {
    return fail(APICAL_ERROR_INTERNAL, "unknown exception");
  }
}

// The same inside a session, which is held meanwhile.
template <class Body>
apical_status inside(apical_session* s, const Body& body) noexcept {
  if (!s) return fail(APICAL_ERROR_ARGUMENT, "the session is null");
  if (s->busy.test_and_set(std::memory_order_acquire)) return fail(APICAL_ERROR_BUSY, "another thread is inside this session");
  const apical_status status = guarded([&] { return body(*s); });
  s->busy.clear(std::memory_order_release);
  return status;
}

// What a graph is run by. The file is named in every error.
AnyProgram program_of(const apical::graph::Graph& graph, const std::string& path) {
  if (!graph.integer) return apical::runtime::prepare(graph);
  try {
    return apical::runtime::prepare(apical::graph::integer_network(graph));
  } catch (const apical::Error& e) {
    throw apical::Error(e.code(), e.message(), path + ", " + e.where(), e.hint());
  }
}

}  // namespace

int apical_c_api_version(void) { return APICAL_C_API_VERSION; }

int apical_c_api_minor_version(void) { return APICAL_C_API_MINOR_VERSION; }

const char* apical_version(void) { return apical::version(); }

const char* apical_last_error(void) { return last_error; }

apical_status apical_model_load(const char* path, apical_model** model) {
  if (!model) return fail(APICAL_ERROR_ARGUMENT, "the place for the model is null");
  *model = nullptr;
  if (!path) return fail(APICAL_ERROR_ARGUMENT, "the path is null");
  return guarded([&] {
    const apical::graph::Graph graph = apical::exchange::load_model(path);
    *model = new apical_model{program_of(graph, path),
                              graph.integer ? graph.integer->bits : 0,
                              static_cast<std::size_t>(apical::graph::elements(graph.input_shape)),
                              static_cast<std::size_t>(graph.T),
                              static_cast<std::size_t>(apical::graph::elements(graph.nodes.back().shape)),
                              graph.name,
                              graph.classes,
                              {graph.input_shape.begin(), graph.input_shape.end()}};
    return APICAL_OK;
  });
}

void apical_model_free(apical_model* model) { delete model; }

const size_t* apical_model_input_shape(const apical_model* model, size_t* dimensions) {
  if (dimensions) *dimensions = model ? model->shape.size() : 0;
  return model ? model->shape.data() : nullptr;
}
size_t apical_model_frame_size(const apical_model* model) { return model ? model->frame_size : 0; }
size_t apical_model_steps(const apical_model* model) { return model ? model->steps : 0; }
size_t apical_model_outputs(const apical_model* model) { return model ? model->outputs : 0; }
int apical_model_bits(const apical_model* model) { return model ? model->bits : 0; }
const char* apical_model_name(const apical_model* model) { return model ? model->name.c_str() : nullptr; }
const char* apical_model_class_name(const apical_model* model, size_t index) {
  return model && index < model->classes.size() ? model->classes[index].c_str() : nullptr;
}

apical_status apical_session_new(const apical_model* model, apical_session** session) {
  if (!session) return fail(APICAL_ERROR_ARGUMENT, "the place for the session is null");
  *session = nullptr;
  if (!model) return fail(APICAL_ERROR_ARGUMENT, "the model is null");
  return guarded([&] {
    *session = new apical_session(*model);
    return APICAL_OK;
  });
}

void apical_session_free(apical_session* session) { delete session; }

apical_status apical_session_reset(apical_session* session) {
  return inside(session, [](apical_session& s) {
    s.reset();
    return APICAL_OK;
  });
}

apical_status apical_session_step(apical_session* session, const float* frame, size_t floats) {
  return inside(session, [&](apical_session& s) {
    if (!frame) return fail(APICAL_ERROR_ARGUMENT, "the frame is null");
    if (floats != s.frame_size) return wrong_size("a frame of this model", s.frame_size, floats);
    s.step(frame);
    return APICAL_OK;
  });
}

apical_status apical_session_scores(apical_session* session, float* scores, size_t floats) {
  return inside(session, [&](apical_session& s) {
    if (!scores) return fail(APICAL_ERROR_ARGUMENT, "the place for the scores is null");
    if (floats != s.outputs) return wrong_size("the output of this model", s.outputs, floats);
    if (s.steps() == 0) return fail(APICAL_ERROR_ARGUMENT, "there are no scores before the first step");
    std::ranges::copy(s.scores(), scores);
    return APICAL_OK;
  });
}

apical_status apical_session_run(apical_session* session, const float* frames, size_t frame_floats, float* scores, size_t score_floats,
                                 size_t* predicted) {
  return inside(session, [&](apical_session& s) {
    if (!frames || !scores) return fail(APICAL_ERROR_ARGUMENT, frames ? "the place for the scores is null" : "the frames are null");
    if (frame_floats == 0 || frame_floats % s.frame_size != 0) return wrong_size("a frame of this model", s.frame_size, frame_floats);
    if (score_floats != s.outputs) return wrong_size("the output of this model", s.outputs, score_floats);
    s.reset();
    for (size_t at = 0; at < frame_floats; at += s.frame_size) s.step(frames + at);
    const auto said = s.scores();
    std::ranges::copy(said, scores);
    if (predicted) *predicted = static_cast<size_t>(std::max_element(said.begin(), said.end()) - said.begin());
    return APICAL_OK;
  });
}
