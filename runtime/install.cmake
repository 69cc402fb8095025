# SPDX-License-Identifier: MIT
#
# What `cmake --install` makes of libttsb: headers, libraries, and what
# find_package(ttsb) and `pkg-config ttsb` read.
#
# In: the targets ttsb, ttsb_static and, where CUDA is, ttsb_cuda. Out: rules
# in two components: `runtime` is what a program needs to run, `development`
# what is needed to build one. Invariant: nothing that is installed holds a path
# of the build's machine, so that the whole may be moved; only a libdir or
# includedir that was given as an absolute path is kept as that.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS ttsb EXPORT ttsbTargets
    LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS ttsb_static EXPORT ttsbTargets
    ARCHIVE COMPONENT development
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set(headers ttsb.h ttsb_types.h ttsb_use.h ttsb_dlpack.h)
if(TTSW_CUDA_FOUND)
    list(APPEND headers ttsb_cuda.h)
endif()
install(FILES ${headers} TYPE INCLUDE COMPONENT development)
install(FILES FORMAT.md TYPE DOC COMPONENT development)
install(FILES ../LICENSE TYPE DOC COMPONENT runtime)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ttsb)
install(EXPORT ttsbTargets NAMESPACE ttsb:: DESTINATION ${package_dir}
    COMPONENT development)
# A set of its own: only who asks for ttsb::cuda needs a toolkit.
if(TTSW_CUDA_FOUND)
    install(TARGETS ttsb_cuda EXPORT ttsbCudaTargets
        ARCHIVE COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    install(EXPORT ttsbCudaTargets NAMESPACE ttsb:: DESTINATION ${package_dir}
        COMPONENT development)
endif()
configure_package_config_file(ttsbConfig.cmake.in ttsbConfig.cmake
    INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(ttsbConfigVersion.cmake
    VERSION ${TTSB_VERSION} COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ttsbConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/ttsbConfigVersion.cmake
    DESTINATION ${package_dir} COMPONENT development)

# The prefix, as seen from ttsb.pc.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
    set(pc_libdir ${CMAKE_INSTALL_LIBDIR})
else()
    file(RELATIVE_PATH up /x/${CMAKE_INSTALL_LIBDIR}/pkgconfig /x)
    string(REGEX REPLACE "/$" "" up ${up})
    set(pc_prefix "\${pcfiledir}/${up}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
    set(pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
else()
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(ttsb.pc.in ttsb.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ttsb.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
