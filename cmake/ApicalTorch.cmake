# LibTorch, and the one precompiled header all torch rooms share (torch/torch.h costs 13 s a file without it).
find_package(Torch REQUIRED)
add_library(apical_torch INTERFACE)
target_link_libraries(apical_torch INTERFACE ${TORCH_LIBRARIES})
target_include_directories(apical_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})

file(WRITE ${CMAKE_BINARY_DIR}/torch_pch.cpp.in "// owner of the precompiled torch header\n")
configure_file(${CMAKE_BINARY_DIR}/torch_pch.cpp.in ${CMAKE_BINARY_DIR}/torch_pch.cpp COPYONLY)
add_library(apical_torch_pch OBJECT ${CMAKE_BINARY_DIR}/torch_pch.cpp)
target_link_libraries(apical_torch_pch PRIVATE apical_torch)
target_precompile_headers(apical_torch_pch PRIVATE <torch/torch.h>)

function(apical_reuse_torch_pch target)
  target_link_libraries(${target} PUBLIC apical_torch) # its headers name torch
  target_precompile_headers(${target} REUSE_FROM apical_torch_pch)
endfunction()

# Fresh large buffers cost page faults: torch's elementwise work runs at a fifth of its speed without mimalloc.
find_library(APICAL_MIMALLOC mimalloc)
function(apical_link_mimalloc target)
  if(APICAL_MIMALLOC AND NOT APICAL_SANITIZE)
    target_link_options(${target} PRIVATE LINKER:--push-state,--no-as-needed ${APICAL_MIMALLOC} LINKER:--pop-state)
  endif()
endfunction()

# An executable whose own files include torch.
function(apical_torch_executable target)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF) # -fPIE would not fit the precompiled header
  target_compile_options(${target} PRIVATE -fPIC)
  apical_reuse_torch_pch(${target})
endfunction()
