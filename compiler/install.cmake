# SPDX-License-Identifier: MIT
#
# What `cmake --install` makes of ttswc, as the component `compiler`: the
# program, its manual pages and completions, the CMake function, the specs.
#
# In: the target ttswc. Out: rules; build/share, which ttswc itself prints, anew
# whenever it was linked. Where it cannot be run (a cross build) the pages and
# completions are left out.
include(GNUInstallDirs)

install(TARGETS ttswc RUNTIME COMPONENT compiler)
install(FILES ttswcAddModel.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ttsb COMPONENT compiler)
install(DIRECTORY ../specs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/ttswc/specs
    COMPONENT compiler)

if(CMAKE_CROSSCOMPILING)
    message(STATUS "ttswc cannot be run here: no manual pages, no completions")
    return()
endif()
set(share ${CMAKE_BINARY_DIR}/share)
add_custom_command(OUTPUT ${share}/written
    COMMAND ${CMAKE_COMMAND} -DTTSWC=$<TARGET_FILE:ttswc> -DOUT=${share}
        -P ${CMAKE_CURRENT_SOURCE_DIR}/write_share.cmake
    DEPENDS ttswc write_share.cmake VERBATIM)
add_custom_target(ttswc_share ALL DEPENDS ${share}/written)
install(DIRECTORY ${share}/man/ TYPE MAN COMPONENT compiler)
foreach(shell bash-completion zsh fish)
    install(DIRECTORY ${share}/${shell} TYPE DATA COMPONENT compiler)
endforeach()
