"""What people and machines read: handed values, these modules fetch nothing and know none of each other's readers."""
