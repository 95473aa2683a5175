# cmake --install, and what find_package(Apical COMPONENTS c|runtime|train) finds. Written in one place, for every room.
#   lib/libapical_<room>.a   lib/libapical_runtime.so   include/apical/<room>/*.h   lib/cmake/Apical/   lib/pkgconfig/
#   bin/apical   libexec/apical/apical-train
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Apical)

# Two export sets, so that an installed torch-free half never names a torch target.
set(runtime_rooms base kernels formats report data graph exchange runtime energy brain recipe)
set(train_rooms nn learning training)
foreach(component runtime train)
  set(present "")
  foreach(room ${${component}_rooms})
    if(TARGET apical_${room})
      list(APPEND present apical_${room})
      set_target_properties(apical_${room} PROPERTIES EXPORT_NAME ${room})
    endif()
  endforeach()
  if(component STREQUAL train AND present)
    list(APPEND present apical_torch)
    set_target_properties(apical_torch PROPERTIES EXPORT_NAME torch)
  endif()
  if(present)
    install(TARGETS ${present} EXPORT Apical-${component} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(EXPORT Apical-${component} NAMESPACE Apical:: DESTINATION ${package})
  endif()
  foreach(target ${present})
    string(REPLACE apical_ "" room ${target})
    if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/apical/${room})
      install(DIRECTORY apical/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/apical FILES_MATCHING PATTERN "*.h"
              PATTERN "*_test*" EXCLUDE PATTERN "*testing.h" EXCLUDE PATTERN "testing*.h" EXCLUDE PATTERN "*_fuzz*" EXCLUDE)
    endif()
  endforeach()
endforeach()

# The C interface: a shared library that needs none of the rooms beside it.
install(TARGETS apical_runtime_c EXPORT Apical-c LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT Apical-c NAMESPACE Apical:: DESTINATION ${package})
file(RELATIVE_PATH to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/apical-runtime.pc.in ${CMAKE_BINARY_DIR}/apical-runtime.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/apical-runtime.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

configure_package_config_file(cmake/ApicalConfig.cmake.in ${CMAKE_BINARY_DIR}/ApicalConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ApicalConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/ApicalConfig.cmake ${CMAKE_BINARY_DIR}/ApicalConfigVersion.cmake DESTINATION ${package})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(TARGETS apical RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET apical-train)
  install(TARGETS apical-train RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/apical)
endif()

# Shell completion, asked from the executable that was just installed.
install(CODE "
  foreach(pair bash:share/bash-completion/completions/apical zsh:share/zsh/site-functions/_apical)
    string(REGEX REPLACE \":.*\" \"\" shell \${pair})
    string(REGEX REPLACE \".*:\" \"\" file \${pair})
    set(file \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/\${file}\")
    execute_process(COMMAND \"$<TARGET_FILE:apical>\" completion \${shell} OUTPUT_VARIABLE script COMMAND_ERROR_IS_FATAL ANY)
    file(WRITE \"\${file}\" \"\${script}\")
    message(STATUS \"Installing: \${file}\")
  endforeach()
")
