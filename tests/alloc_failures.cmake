# test_alloc_failures*: the linker sends our own allocations through failing_alloc.c.
foreach(name test_alloc_failures test_alloc_failures_s3 test_alloc_failures_upload)
    target_sources(${name} PRIVATE ${CMAKE_CURRENT_LIST_DIR}/unit/failing_alloc.c)
    target_link_libraries(${name} PRIVATE PkgConfig::JANSSON PkgConfig::XML PkgConfig::CRYPTO)
    foreach(function malloc calloc realloc reallocarray strdup strndup vasprintf asprintf
            __vasprintf_chk __asprintf_chk free)
        target_link_options(${name} PRIVATE -Wl,--wrap=${function})
    endforeach()
endforeach()
