/* The header, twice, alone, as C99 and as C++17; and the library that goes with it. */
#include "delegated_tenant.h"
#include "delegated_tenant.h"

#include <stdio.h>
#include <string.h>

int main(void)
{
    if (dt_abi_version() != DT_ABI_VERSION || strcmp(dt_version(), DT_VERSION) != 0)
        return 1;
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", DT_VERSION_MAJOR, DT_VERSION_MINOR, DT_VERSION_PATCH);
    if (strcmp(version, DT_VERSION) != 0)
        return 1;
    puts("ok");
    return 0;
}
