# SPDX-License-Identifier: MIT
#
# In: FILE, SYMBOL. Out: OUT, a C file that holds FILE's bytes.
file(READ "${FILE}" bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" lines "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," array "${lines}")
file(WRITE "${OUT}" "#include <stddef.h>
extern const unsigned char ${SYMBOL}[];
extern const size_t ${SYMBOL}_size;
const unsigned char ${SYMBOL}[] = {
${array}
0};
const size_t ${SYMBOL}_size = sizeof ${SYMBOL} - 1;
")
