#include "finalize/http/footprint.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int release_pages(struct dl_phdr_info *library, size_t size, void *context)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)context;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
        uintptr_t begin = (library->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = library->dlpi_addr + segment->p_vaddr + segment->p_memsz;

        /* What can be written holds relocations and data that exist nowhere else. */
        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
            /* NOLINTNEXTLINE(performance-no-int-to-ptr): an address is what this is about */
            madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    return 0;
}

void footprint_release(void)
{
    dl_iterate_phdr(release_pages, NULL);
    malloc_trim(0);
}
