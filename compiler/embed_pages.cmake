# SPDX-License-Identifier: MIT
#
# In: FOLDER of pages ID.md. Out: OUT, a C file with the table of them all,
# which pages.h declares, in the order of their ids.
file(GLOB pages "${FOLDER}/*.md")
list(SORT pages)
set(rows "")
file(WRITE "${OUT}.new" "#include \"pages.h\"\n")
foreach(page ${pages})
    get_filename_component(id "${page}" NAME_WE)
    file(READ "${page}" bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," array "${bytes}")
    file(APPEND "${OUT}.new"
        "static const char ${id}[] = {\n${array}\n0};\n")
    string(APPEND rows "    {\"${id}\", {${id}, sizeof ${id} - 1}},\n")
endforeach()
file(APPEND "${OUT}.new" "const struct page pages[] = {
${rows}    {0},
};
")
file(RENAME "${OUT}.new" "${OUT}")
