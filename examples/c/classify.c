/* classify MODEL FRAMES: what a model says about samples, through Apical's C interface.
 *
 * FRAMES is a file of float32 values in this machine's byte order: for each sample, T frames, channel first. Prints one line a sample:
 * the class and its score. */
#include <apical/runtime/c_api.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what) {
  fprintf(stderr, "error: %s: %s\n", what, apical_last_error());
  return 3;
}

int main(int argc, char **argv) {
  apical_model *model = NULL;
  apical_session *session = NULL;
  if (argc != 3) {
    fprintf(stderr, "usage: classify MODEL FRAMES\n");
    return 2;
  }
  if (apical_c_api_version() != APICAL_C_API_VERSION) {
    fprintf(stderr, "error: this program was built for another libapical_runtime\n");
    return 4;
  }
  if (apical_model_load(argv[1], &model) != APICAL_OK) return fail("cannot load the model");
  if (apical_session_new(model, &session) != APICAL_OK) return fail("cannot make a session");

  const size_t sample = apical_model_steps(model) * apical_model_frame_size(model), outputs = apical_model_outputs(model);
  float *frames = malloc(sample * sizeof *frames), *scores = malloc(outputs * sizeof *scores);
  FILE *file = fopen(argv[2], "rb");
  if (!frames || !scores || !file) {
    fprintf(stderr, "error: cannot read %s\n", argv[2]);
    return 3;
  }
  while (fread(frames, sizeof *frames, sample, file) == sample) {
    size_t predicted = 0;
    if (apical_session_run(session, frames, sample, scores, outputs, &predicted) != APICAL_OK) return fail("cannot run the model");
    const char *name = apical_model_class_name(model, predicted);
    if (name)
      printf("%s %.9g\n", name, (double)scores[predicted]);
    else
      printf("%lu %.9g\n", (unsigned long)predicted, (double)scores[predicted]);
  }
  fclose(file);
  free(frames);
  free(scores);
  apical_session_free(session);
  apical_model_free(model);
  return 0;
}
