# Makes C arrays of files: cmake -DOUTPUT=page.c -DFILES="html=index.html;css=page.css" -P embed.cmake
file(WRITE ${OUTPUT}.new "#include \"watcher/http/page.h\"\n")
foreach(entry IN LISTS FILES)
    string(REPLACE "=" ";" pair ${entry})
    list(GET pair 0 name)
    list(GET pair 1 path)
    file(READ ${path} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
        "\\1\n    " bytes "${bytes}")
    file(APPEND ${OUTPUT}.new
        "\nconst unsigned char page_${name}[] = {\n    ${bytes}};\nconst size_t page_${name}_length = sizeof page_${name};\n")
endforeach()
file(RENAME ${OUTPUT}.new ${OUTPUT})
