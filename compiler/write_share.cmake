# SPDX-License-Identifier: MIT
#
# cmake -DTTSWC=ttswc -DOUT=FOLDER -P write_share.cmake: what ttswc says of itself,
# as man1/*.1 and one completion for each shell, under the names by which man
# and the shells look for it. FOLDER is made anew, so that no page of a command
# that is gone stays; `written` in it comes last.
cmake_minimum_required(VERSION 3.25)

function(say file)
    get_filename_component(folder ${OUT}/${file} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    execute_process(COMMAND ${TTSWC} help ${ARGN}
        OUTPUT_FILE ${OUT}/${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${OUT})
execute_process(COMMAND ${TTSWC} help OUTPUT_VARIABLE help COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n  [a-z]+  " commands "${help}")
string(REGEX REPLACE "[\n ]" "" commands "${commands}")
list(REMOVE_ITEM commands help)
list(LENGTH commands count)
if(count LESS 3)
    message(FATAL_ERROR "found no commands in what `ttswc help` prints")
endif()
say(man/man1/ttswc.1 --man)
foreach(command IN LISTS commands)
    say(man/man1/ttswc-${command}.1 --man ${command})
endforeach()
say(bash-completion/completions/ttswc --completion bash)
say(zsh/site-functions/_ttswc --completion zsh)
say(fish/vendor_completions.d/ttswc.fish --completion fish)
file(TOUCH ${OUT}/written)
