# Makes the manual page: the line @SETTINGS@ of INPUT becomes what `SETTINGS_DOC man` prints. Run by
# the build, with -D for each of these and for OUTPUT.
cmake_minimum_required(VERSION 3.18)

execute_process(COMMAND ${SETTINGS_DOC} man OUTPUT_VARIABLE settings RESULT_VARIABLE result)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "${SETTINGS_DOC} man: ${result}")
endif()
file(READ ${INPUT} page)
string(REPLACE "@SETTINGS@\n" "${settings}" page "${page}")
file(WRITE ${OUTPUT} "${page}")
