# SPDX-License-Identifier: MIT
#
# In: ttsb.h. Out: TTSB_VERSION (1.2.3) and TTSB_VERSION_MAJOR, for project(),
# SOVERSION and the package. Invariant: the header's three numbers and its
# string agree; else nothing is configured.
set(header ${CMAKE_CURRENT_LIST_DIR}/ttsb.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
set(numbers "")
foreach(part MAJOR MINOR PATCH)
    file(STRINGS ${header} line REGEX "^#define TTSB_VERSION_${part} ")
    if(NOT line MATCHES "^#define TTSB_VERSION_${part} ([0-9]+)$")
        message(FATAL_ERROR "ttsb.h: no number in TTSB_VERSION_${part}: '${line}'")
    endif()
    set(TTSB_VERSION_${part} ${CMAKE_MATCH_1})
    list(APPEND numbers ${CMAKE_MATCH_1})
endforeach()
list(JOIN numbers "." TTSB_VERSION)
file(STRINGS ${header} line REGEX "^#define TTSB_VERSION ")
if(NOT line STREQUAL "#define TTSB_VERSION \"${TTSB_VERSION}\"")
    message(FATAL_ERROR
        "ttsb.h: the numbers of TTSB_VERSION_... make ${TTSB_VERSION}, but: ${line}")
endif()
