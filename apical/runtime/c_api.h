/* Runs a model from C, or from any language that calls C. Plain C99; no exception leaves these functions.
 *
 *     apical_model *model = NULL;
 *     apical_session *session = NULL;
 *     if (apical_model_load("model.safetensors", &model) != APICAL_OK) puts(apical_last_error());
 *     apical_session_new(model, &session);
 *     apical_session_step(session, frame, apical_model_frame_size(model));        one step of a stream
 *     apical_session_scores(session, scores, apical_model_outputs(model));
 *
 * Frames are float32, channel first, as the model's encoder makes them: for the encoder "direct", (pixel / 255 - mean) / std.
 * NaN and infinity in a frame are computed with: a neuron whose membrane is NaN does not fire any more until the session is reset.
 * A model of `apical quantise --bits 8` or 4 runs in integers, with int8 weights, and gives exactly the scores of apical infer. It takes
 * the same frames: they are rounded to the model's int8 inputs, what lies beyond their range becomes its end, NaN becomes 0.
 *
 * Threads: a model is read only and may be used by many threads at once. A session is for one thread at a time; a call that meets
 * another one inside the same session changes nothing and returns APICAL_ERROR_BUSY. Large layers are cut over the threads of
 * one pool, as many as APICAL_THREADS says (default: the cores at hand); results do not depend on their number.
 * Memory: apical_session_new allocates all of it; step, run, reset and scores allocate nothing.
 * Queries that return a plain value return 0 or NULL for a null model. What every other function returns is an apical_status.
 */
#ifndef APICAL_RUNTIME_C_API_H
#define APICAL_RUNTIME_C_API_H

#include <stddef.h>

/* Rises when a function goes or changes its meaning; new functions alone leave it. */
#define APICAL_C_API_VERSION 1
/* Rises when there are new functions. 1: apical_model_bits, and models in integers. */
#define APICAL_C_API_MINOR_VERSION 1

#if defined(__GNUC__)
#define APICAL_API __attribute__((visibility("default")))
#else
#define APICAL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct apical_model apical_model;     /* a network ready to run */
typedef struct apical_session apical_session; /* one stream through it: membranes and readout */

typedef enum apical_status {
  APICAL_OK = 0,
  APICAL_ERROR_ARGUMENT = 1, /* a pointer is null, or scores are asked for before any step */
  APICAL_ERROR_SIZE = 2,     /* a buffer has another number of floats than the model says */
  APICAL_ERROR_FILE = 3,     /* the file is missing, damaged, of another version, or no model */
  APICAL_ERROR_BUSY = 4,     /* another thread is inside this session */
  APICAL_ERROR_MEMORY = 5,   /* not enough memory */
  APICAL_ERROR_INTERNAL = 6  /* a defect of Apical */
} apical_status;

/* APICAL_C_API_VERSION of the library; the program was compiled against that of this header. */
APICAL_API int apical_c_api_version(void);
/* The same of APICAL_C_API_MINOR_VERSION: a program needs at least that of its header. */
APICAL_API int apical_c_api_minor_version(void);
/* "0.1.0" */
APICAL_API const char* apical_version(void);
/* What went wrong in this thread's last call that failed: one sentence with the file and the byte, key or tensor. Valid until the next
 * call that fails in this thread; "" when none did. */
APICAL_API const char* apical_last_error(void);

/* Loads a .safetensors model of `apical run`, `train`, `quantise` or `tune`. *model is set to NULL when it fails. The file is mapped: replace it by
 * rename, never in place, while the model lives. */
APICAL_API apical_status apical_model_load(const char* path, apical_model** model);
/* Sessions made of it may go on. Null is nothing to free. */
APICAL_API void apical_model_free(apical_model* model);

/* Shape of a frame, channel first: 3 dimensions [C, H, W], or 1 [N]. The pointer lives as long as the model. */
APICAL_API const size_t* apical_model_input_shape(const apical_model* model, size_t* dimensions);
/* Floats of a frame: the product of its shape. */
APICAL_API size_t apical_model_frame_size(const apical_model* model);
/* T: the steps a sample is shown. */
APICAL_API size_t apical_model_steps(const apical_model* model);
/* Floats of the scores: one a class. */
APICAL_API size_t apical_model_outputs(const apical_model* model);
/* Bits of a weight, 8 or 4, of a model that runs in integers; 0 of one that runs in float32. */
APICAL_API int apical_model_bits(const apical_model* model);
/* Name of the network. */
APICAL_API const char* apical_model_name(const apical_model* model);
/* Name of a class; NULL when the model names none, or `index` is not below apical_model_outputs. */
APICAL_API const char* apical_model_class_name(const apical_model* model, size_t index);

/* *session is set to NULL when it fails. */
APICAL_API apical_status apical_session_new(const apical_model* model, apical_session** session);
/* Not while another thread uses it. Null is nothing to free. */
APICAL_API void apical_session_free(apical_session* session);
/* Membranes and readout to zero: the next step is the first of a sample. */
APICAL_API apical_status apical_session_reset(apical_session* session);
/* One step. `frame` has `floats` == apical_model_frame_size values; a frame equal to the one before is not multiplied again. */
APICAL_API apical_status apical_session_step(apical_session* session, const float* frame, size_t floats);
/* What the network says after the last step: `floats` == apical_model_outputs values. */
APICAL_API apical_status apical_session_scores(apical_session* session, float* scores, size_t floats);
/* A whole sample: reset, a step for each of the frames [steps, frame size] (`frame_floats` a multiple of apical_model_frame_size, not
 * 0), then the scores, and the index of the largest (the first of equals) into *predicted unless it is null. */
APICAL_API apical_status apical_session_run(apical_session* session, const float* frames, size_t frame_floats, float* scores,
                                            size_t score_floats, size_t* predicted);

#ifdef __cplusplus
}
#endif

#endif /* APICAL_RUNTIME_C_API_H */
