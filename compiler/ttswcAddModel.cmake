# SPDX-License-Identifier: MIT
#
# ttswc_add_model: a model as a part of a CMake project. Installed beside
# ttsbConfig.cmake, which includes it.
#
#     find_package(ttsb 1.1 REQUIRED COMPONENTS compiler)
#     ttswc_add_model(vocoder SPEC bigvgan.yaml CHECKPOINT bigvgan.safetensors
#         OUTPUT bigvgan.ttsb HEADER bigvgan.h)
#     target_link_libraries(engine PRIVATE vocoder)
#
# ttswc_add_model(TARGET SPEC FILE HEADER FILE [OUTPUT FILE]
#     [CHECKPOINT FILE...] [SOURCE NAME=PATH...] [OPTIONS WORD...]
#     [DEPENDS FILE...] [STATIC])
#
# In:
#   TARGET      a new interface library. Who links it includes the header by its
#               file name, links ttsb::ttsb, and is built after header and blob.
#               Its properties TTSWC_HEADER and TTSWC_BLOB are their paths.
#   SPEC        the spec; it, CHECKPOINT, SOURCE and DEPENDS are relative to the
#               source folder, and must be there or made by the build (GENERATED).
#   HEADER      what `ttswc header` writes; it and OUTPUT are relative to the
#               build folder.
#   OUTPUT      what `ttswc compile` writes. Without it (and without CHECKPOINT
#               and SOURCE) there is only the header, which needs no weights.
#   CHECKPOINT  the files, indexes or folders behind a spec of one source.
#   SOURCE      NAME=PATH for each source of a spec that has several.
#   OPTIONS     for `ttswc compile`: -j 4, --allow-partial-weights, --against
#               OLD.ttsb. Files that they have it write are unknown to the build.
#   DEPENDS     files besides that the blob is made anew after: OLD.ttsb.
#   STATIC      TARGET links ttsb::static instead.
#
# Out: TARGET, and the custom targets TARGET_header and TARGET_blob, both of
# which `all` builds. Invariant: header and blob have a rule each, whose
# inputs are the words above, ttswc itself, and what the depfile adds (includes,
# probes, shards); nothing else is made anew when one of them changes:
#   the spec, an include      both; and what includes the header only if
#                             its text is another one (it is written to a file
#                             of the build first, then copied if different)
#   a checkpoint, a shard     the blob alone; nothing is compiled or linked
#
# A failed rule leaves the blob as it was. The depfiles are for Ninja and Make.
#
# ttswc is TTSWC_EXECUTABLE if that is set, else the one of this package; in a
# cross build, where the package's cannot be run, it must be set.
#
# Errors, at configure time, each named with TARGET: TARGET exists; an argument
# that is unknown, lacks its value or is missing; SPEC, a checkpoint, a source or
# a dependency that is not there; CHECKPOINT together with SOURCE; OUTPUT without
# one of them, or they without it; a SOURCE that is not NAME=PATH; OUTPUT or
# HEADER that is the other one, an input, or written by another call; OUTPUT in a
# folder that is an input, which would always look changed; an option that this
# function gives itself; no ttswc.
# What a spec or a checkpoint has wrong is said by ttswc when the project is built.
include_guard(DIRECTORY)
cmake_policy(PUSH)
cmake_policy(VERSION 3.21) # depfiles with Make; relative to the build folder

if(DEFINED ttsb_BINDIR)
    set(_ttswc_installed "${ttsb_BINDIR}/ttswc")
endif()

function(_ttswc_fail target)
    string(JOIN "" text ${ARGN})
    message(FATAL_ERROR "ttswc_add_model(${target}): ${text}")
endfunction()

# The program that is run.
function(_ttswc_program target out)
    set(program "${TTSWC_EXECUTABLE}")
    if(NOT program AND CMAKE_CROSSCOMPILING)
        _ttswc_fail(${target} "set TTSWC_EXECUTABLE to a ttswc of this machine; "
            "the package's is of the other one")
    elseif(NOT program)
        set(program "${_ttswc_installed}")
    endif()
    if(NOT EXISTS "${program}" OR IS_DIRECTORY "${program}")
        _ttswc_fail(${target} "no ttswc at '${program}'; set TTSWC_EXECUTABLE")
    endif()
    set(${out} "${program}" PARENT_SCOPE)
endfunction()

# Files of the project as absolute paths, which must be there.
function(_ttswc_inputs target what out)
    set(paths "")
    foreach(path IN LISTS ARGN)
        get_filename_component(path "${path}" ABSOLUTE)
        get_source_file_property(made "${path}" GENERATED)
        if(NOT made AND NOT EXISTS "${path}")
            _ttswc_fail(${target} "${what} '${path}' does not exist")
        endif()
        list(APPEND paths "${path}")
    endforeach()
    set(${out} "${paths}" PARENT_SCOPE)
endfunction()

# Whether words and their values make sense, before any path is looked at.
function(_ttswc_check_words target)
    if(M_UNPARSED_ARGUMENTS)
        _ttswc_fail(${target} "unknown argument '${M_UNPARSED_ARGUMENTS}'")
    elseif(M_KEYWORDS_MISSING_VALUES)
        _ttswc_fail(${target} "no value behind ${M_KEYWORDS_MISSING_VALUES}")
    elseif(NOT M_SPEC)
        _ttswc_fail(${target} "no SPEC")
    elseif(NOT M_HEADER)
        _ttswc_fail(${target} "no HEADER")
    elseif(M_CHECKPOINT AND M_SOURCE)
        _ttswc_fail(${target} "CHECKPOINT is for a spec of one source, SOURCE for "
            "one of several; give one of them")
    elseif(M_OUTPUT AND NOT M_CHECKPOINT AND NOT M_SOURCE)
        _ttswc_fail(${target} "OUTPUT needs a CHECKPOINT or a SOURCE")
    elseif(NOT M_OUTPUT AND (M_CHECKPOINT OR M_SOURCE OR M_OPTIONS OR M_DEPENDS))
        _ttswc_fail(${target} "CHECKPOINT, SOURCE, OPTIONS and DEPENDS are the "
            "blob's, and there is no OUTPUT")
    endif()
    foreach(option IN LISTS M_OPTIONS)
        if(option MATCHES "^(-o|--output|-MD|--depfile|-MF|--depfile-name|--source|--if-changed)(=|$)")
            _ttswc_fail(${target} "option '${option}' is given by this function")
        endif()
    endforeach()
    foreach(name ${target} ${target}_header ${target}_blob)
        if(TARGET ${name})
            _ttswc_fail(${target} "there is a target ${name} already")
        endif()
    endforeach()
endfunction()

# Outputs against inputs.
function(_ttswc_check_outputs target blob header)
    if("${blob}" STREQUAL "${header}")
        _ttswc_fail(${target} "OUTPUT and HEADER are one file, '${blob}'")
    endif()
    get_filename_component(folder "${blob}" DIRECTORY)
    foreach(input IN LISTS ARGN)
        if("${input}" STREQUAL "${blob}" OR "${input}" STREQUAL "${header}")
            _ttswc_fail(${target} "'${input}' would be both read and written")
        elseif("${input}" STREQUAL "${folder}")
            _ttswc_fail(${target} "OUTPUT lies in '${input}', which is an input")
        endif()
    endforeach()
    get_property(taken GLOBAL PROPERTY TTSWC_OUTPUTS)
    foreach(path IN ITEMS ${blob} ${header})
        if("${path}" IN_LIST taken)
            _ttswc_fail(${target} "'${path}' is written by another call")
        endif()
        set_property(GLOBAL APPEND PROPERTY TTSWC_OUTPUTS "${path}")
    endforeach()
endfunction()

# The command behind a rule's own that lets CMake forget what the rule depended
# on. With Make, CMake 3.25 adds each depfile to the list of the one before, so
# that an include that is renamed or gone would make the model anew for ever;
# without the list, the next build reads the depfile alone.
function(_ttswc_forget rule out)
    set(${out} "" PARENT_SCOPE)
    if(CMAKE_GENERATOR MATCHES "Makefiles")
        set(${out} COMMAND "${CMAKE_COMMAND}" -E rm -f
            "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${rule}.dir/compiler_depend.internal"
            PARENT_SCOPE)
    endif()
endfunction()

# The header's rule. What ttswc writes is new each time; the header that is
# included only if its text is. `private` is a folder that nobody includes from.
# Ninja knows of a by-product, Make does not: there each build compares, or a
# header that was deleted would stay away.
function(_ttswc_add_header target program spec header private)
    get_filename_component(name "${header}" NAME)
    set(written "${private}/${name}")
    set(copy COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${written}" "${header}")
    set(copy_always "")
    if(CMAKE_GENERATOR MATCHES "Makefiles")
        set(copy_always ${copy})
        set(copy "")
    endif()
    _ttswc_forget(${target}_header forget)
    add_custom_command(OUTPUT "${written}" BYPRODUCTS "${header}"
        COMMAND "${program}" header -q "${spec}" -o "${written}" -MF "${written}.d"
        ${forget} ${copy} DEPENDS "${spec}" "${program}" DEPFILE "${written}.d"
        COMMENT "ttswc header ${name}" VERBATIM)
    add_custom_target(${target}_header ALL ${copy_always} DEPENDS "${written}" VERBATIM)
    add_dependencies(${target} ${target}_header)
endfunction()

# The blob's rule; `given` is how its inputs are said to ttswc.
function(_ttswc_add_blob target program blob private)
    cmake_parse_arguments(PARSE_ARGV 4 A "" "" "GIVEN;INPUTS")
    get_filename_component(name "${blob}" NAME)
    _ttswc_forget(${target}_blob forget)
    add_custom_command(OUTPUT "${blob}"
        COMMAND "${program}" compile -q ${A_GIVEN} -o "${blob}" -MF "${private}/${name}.d"
        ${forget} DEPENDS ${A_INPUTS} "${program}" DEPFILE "${private}/${name}.d"
        COMMENT "ttswc compile ${name}" VERBATIM)
    add_custom_target(${target}_blob ALL DEPENDS "${blob}")
    add_dependencies(${target} ${target}_blob)
endfunction()

function(ttswc_add_model target)
    cmake_parse_arguments(PARSE_ARGV 1 M "STATIC" "SPEC;OUTPUT;HEADER"
        "CHECKPOINT;SOURCE;OPTIONS;DEPENDS")
    _ttswc_check_words(${target})
    _ttswc_program(${target} program)
    _ttswc_inputs(${target} SPEC spec "${M_SPEC}")
    _ttswc_inputs(${target} CHECKPOINT checkpoints ${M_CHECKPOINT})
    _ttswc_inputs(${target} DEPENDS others ${M_DEPENDS})
    set(sources "")
    set(given "")
    foreach(source IN LISTS M_SOURCE)
        if(NOT source MATCHES "^([^=]+)=(.+)$")
            _ttswc_fail(${target} "SOURCE '${source}' is not NAME=PATH")
        endif()
        set(name "${CMAKE_MATCH_1}")
        _ttswc_inputs(${target} SOURCE path "${CMAKE_MATCH_2}")
        list(APPEND sources "${path}")
        list(APPEND given --source "${name}=${path}")
    endforeach()
    set(inputs "${spec}" ${checkpoints} ${sources} ${others})

    get_filename_component(header "${M_HEADER}" ABSOLUTE
        BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
    get_filename_component(header_folder "${header}" DIRECTORY)
    set(private "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.ttswc")
    file(MAKE_DIRECTORY "${header_folder}" "${private}")
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE "${header_folder}")
    target_link_libraries(${target} INTERFACE
        $<IF:$<BOOL:${M_STATIC}>,ttsb::static,ttsb::ttsb>)
    set_target_properties(${target} PROPERTIES TTSWC_HEADER "${header}")
    if(NOT M_OUTPUT)
        _ttswc_check_outputs(${target} "" "${header}" ${inputs})
        _ttswc_add_header(${target} "${program}" "${spec}" "${header}" "${private}")
        return()
    endif()
    get_filename_component(blob "${M_OUTPUT}" ABSOLUTE
        BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
    get_filename_component(blob_folder "${blob}" DIRECTORY)
    file(MAKE_DIRECTORY "${blob_folder}")
    _ttswc_check_outputs(${target} "${blob}" "${header}" ${inputs})
    _ttswc_add_header(${target} "${program}" "${spec}" "${header}" "${private}")
    _ttswc_add_blob(${target} "${program}" "${blob}" "${private}"
        GIVEN ${M_OPTIONS} "${spec}" ${checkpoints} ${given} INPUTS ${inputs})
    set_target_properties(${target} PROPERTIES TTSWC_BLOB "${blob}")
endfunction()
cmake_policy(POP)
