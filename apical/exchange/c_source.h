#pragma once
// A network as C source: one file for a device that has a C compiler and nothing else.
#include <string>

#include "apical/graph/graph.h"

namespace apical::exchange {

/// The text of a C99 file that needs no library and no malloc: weights as constant arrays, one struct with all the memory of a stream,
/// and the functions NAME_init, NAME_reset, NAME_step and NAME_scores (documented in the file's head). With -DAPICAL_MAIN it is a
/// program that reads float32 frames from standard input and prints scores.
///
/// Every sum runs in the order of the runtime (channel last, ascending inputs), so that the scores are the runtime's, bit for bit, where
/// the compiler evaluates float as float and does not contract a * b + c. A layer skips inputs that are zero, as the runtime's event form
/// does; two-point cells have the exp and tanh of the kernels. The same graph and name give the same text.
///
/// A quantised graph gives a file of integers (graph/integer.h): int8 weights, int16 membranes, exactly the scores of the integer runtime,
/// whatever the compiler does with floats.
///
/// `name`: a C identifier; "" makes one of the graph's name. Usage error for another name, data error for a graph that is not valid,
/// or that is quantised and that integers cannot hold.
std::string c_source(const graph::Graph& graph, const std::string& name = "");

}  // namespace apical::exchange
