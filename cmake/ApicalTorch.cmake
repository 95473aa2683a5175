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
