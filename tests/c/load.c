/* The library found at run time: its version is asked first, and letting go of it leaves it where its threads are. */
#include "delegated_tenant.h"

#include <stdio.h>
#ifdef _WIN32
#include <windows.h>
#define OPEN(path) (void *)LoadLibraryA(path)
#define FIND(library, name) (void *)(intptr_t)GetProcAddress((HMODULE)(library), name)
#define CLOSE(library) !FreeLibrary((HMODULE)(library))
#define STILL_THERE(path) (GetModuleHandleA(path) != NULL)
#else
#include <dlfcn.h>
#define OPEN(path) dlopen(path, RTLD_NOW | RTLD_LOCAL)
#define FIND(library, name) dlsym(library, name)
#define CLOSE(library) dlclose(library)
#define STILL_THERE(path) (dlopen(path, RTLD_NOW | RTLD_NOLOAD) != NULL)
#endif

int main(int count, char **arguments)
{
    void *library = count == 2 ? OPEN(arguments[1]) : NULL;
    if (!library)
        return 1;
    uint32_t (*find_dt_abi_version)(void);
    dt_status (*find_dt_options_new)(dt_options **, dt_error **);
    *(void **)&find_dt_abi_version = FIND(library, "dt_abi_version");
    *(void **)&find_dt_options_new = FIND(library, "dt_options_new");
    if (!find_dt_abi_version || find_dt_abi_version() != DT_ABI_VERSION)
        return 1;
    dt_options *options;
    if (!find_dt_options_new || find_dt_options_new(&options, NULL) != DT_STATUS_OK)
        return 1;
    if (CLOSE(library) || !STILL_THERE(arguments[1]))
        return 1;
    puts("ok");
    return 0;
}
