# apical_fuzz_targets(<function>): calls function(<name> <source> <room>) for every *_fuzz.cpp of the house that can be built here.
# The target of apical/formats/idx_fuzz.cpp is called idx, its corpus tests/fuzz/corpus/idx.
function(apical_fuzz_targets function)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/apical/*_fuzz.cpp)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" name ${name})
    file(RELATIVE_PATH room ${PROJECT_SOURCE_DIR}/apical ${source})
    string(REGEX REPLACE "/.*" "" room ${room})
    if(TARGET Apical::${room})
      cmake_language(CALL ${function} ${name} ${source} ${room})
    endif()
  endforeach()
endfunction()

# What a target links: its room, and zlib for those that repair checksums.
function(apical_fuzz_link target room)
  find_package(ZLIB REQUIRED)
  target_link_libraries(${target} PRIVATE Apical::${room} ZLIB::ZLIB)
endfunction()
