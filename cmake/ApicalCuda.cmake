# CUDA twins of kernels (-DAPICAL_CUDA=ON). Needs nvcc alone: no GPU to build, and the runtime is linked statically.
set(CMAKE_CUDA_ARCHITECTURES "80;90" CACHE STRING "GPU architectures: machine code and PTX of each, so that newer GPUs run too")
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "-DAPICAL_CUDA=ON needs nvcc (CUDA toolkit 12 or later), and none was found. Put nvcc in PATH or give "
                      "-DCMAKE_CUDA_COMPILER=/usr/local/cuda/bin/nvcc; without a toolkit leave APICAL_CUDA off.")
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "-DAPICAL_CUDA=ON needs CUDA toolkit 12 or later (C++20); ${CMAKE_CUDA_COMPILER} is ${CMAKE_CUDA_COMPILER_VERSION}")
endif()
find_package(CUDAToolkit REQUIRED)
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # CMake before 3.25.2 does not know that nvcc has it
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
endif()
if(APICAL_CCACHE)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

# The CPU's bits: no contraction to fused multiply-add, IEEE division, denormals kept.
set(APICAL_CUDA_OPTIONS -fmad=false -prec-div=true -prec-sqrt=true -ftz=false --expt-relaxed-constexpr
    -Xcompiler=-Wall,-Wextra,-Wno-unknown-pragmas,-ffp-contract=off)
