# SPDX-License-Identifier: MIT
#
# ttsw_embed(TARGET SYMBOL FILE): FILE's bytes as `const unsigned char
# SYMBOL[]`, with `const size_t SYMBOL_size`, compiled into TARGET.
function(ttsw_embed target symbol file)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
    add_custom_command(OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DFILE=${CMAKE_CURRENT_SOURCE_DIR}/${file}
            -DSYMBOL=${symbol} -DOUT=${out}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/embed_file.cmake
        DEPENDS ${file} embed_file.cmake VERBATIM)
    target_sources(${target} PRIVATE ${out})
endfunction()
